# SPDX-License-Identifier: MIT
# find_package(shmkit): shmkit::shmkit is the shared library, shmkit::static the archive.
include(CMakeFindDependencyMacro)
find_dependency(Threads)
include("${CMAKE_CURRENT_LIST_DIR}/shmkit-targets.cmake")
