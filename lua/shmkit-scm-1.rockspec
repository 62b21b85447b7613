rockspec_format = "3.0"
package = "shmkit"
version = "scm-1"
-- There is no public place yet: `luarocks make` builds the checkout that it runs in.
source = { url = "file://." }
description = {
  summary = "Shared memory on Unix",
  detailed = [[
    Segments of shared memory that C, Python and Lua programs hold together: created atomically,
    with room that is reserved, read and written in place. Building it takes CMake, SWIG and a C
    compiler.]],
  license = "MIT",
}
supported_platforms = { "linux" }
dependencies = { "lua ~> 5.4" }
build = {
  type = "cmake",
  variables = {
    CMAKE_BUILD_TYPE = "Release",
    CMAKE_INSTALL_PREFIX = "$(PREFIX)",
    LUA_INCLUDE_DIR = "$(LUA_INCDIR)",
    SHMKIT_LUA_CMOD = "$(LIBDIR)",
    SHMKIT_LUA_LMOD = "$(LUADIR)",
    -- The module and nothing else.
    SHMKIT_BENCH = "OFF",
    SHMKIT_EXAMPLES = "OFF",
    SHMKIT_INSTALL = "OFF",
    SHMKIT_PYTHON = "OFF",
    SHMKIT_TESTS = "OFF",
    SHMKIT_TOOL = "OFF",
  },
}
