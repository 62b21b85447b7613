/* SPDX-License-Identifier: MIT */
/*
 * Module "process": the few system calls that the tests need and that no Lua 5.4 package of Debian
 * has. Failures return nil, message, errno.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((visibility("default"))) int luaopen_process(lua_State *L);

static int number(lua_State *L, int index) {
  return (int)luaL_checkinteger(L, index);
}

static int done(lua_State *L, int result) {
  if (result < 0) return luaL_fileresult(L, 0, NULL);
  lua_pushinteger(L, result);
  return 1;
}

static int process_fork(lua_State *L) {
  return done(L, fork());
}

/* exit(code): at once, without a word to anybody. */
static int process_exit(lua_State *L) {
  _exit(number(L, 1));
}

/* wait(pid) -> "exited", code or "killed", signal */
static int process_wait(lua_State *L) {
  int status = 0;
  pid_t pid = number(L, 1);
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return done(L, -1);
  }
  lua_pushstring(L, WIFEXITED(status) ? "exited" : "killed");
  lua_pushinteger(L, WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
  return 2;
}

static int process_kill(lua_State *L) {
  return done(L, kill(number(L, 1), number(L, 2)));
}

static int process_pid(lua_State *L) {
  return done(L, getpid());
}

static int process_uid(lua_State *L) {
  return done(L, (int)geteuid());
}

/* become(uid): give up being root, for good. */
static int process_become(lua_State *L) {
  return done(L, setresuid((uid_t)number(L, 1), (uid_t)number(L, 1), (uid_t)number(L, 1)));
}

/* Two descriptors. */
static int pair(lua_State *L, int result, const int fds[2]) {
  if (result < 0) return done(L, result);
  lua_pushinteger(L, fds[0]);
  lua_pushinteger(L, fds[1]);
  return 2;
}

/* pipe() -> reading end, writing end */
static int process_pipe(lua_State *L) {
  int fds[2];
  return pair(L, pipe2(fds, O_CLOEXEC), fds);
}

/* socketpair([nonblocking]) */
static int process_socketpair(lua_State *L) {
  int fds[2], flags = SOCK_STREAM | SOCK_CLOEXEC | (lua_toboolean(L, 1) ? SOCK_NONBLOCK : 0);
  return pair(L, socketpair(AF_UNIX, flags, 0, fds), fds);
}

/* read(fd, n) -> string, "" at the end */
static int process_read(lua_State *L) {
  luaL_Buffer buffer;
  int fd = number(L, 1);
  size_t size = (size_t)number(L, 2);
  char *bytes = luaL_buffinitsize(L, &buffer, size);
  ssize_t length = read(fd, bytes, size);
  if (length < 0) return done(L, -1);
  luaL_pushresultsize(&buffer, (size_t)length);
  return 1;
}

static int process_write(lua_State *L) {
  size_t length = 0;
  const char *bytes = luaL_checklstring(L, 2, &length);
  return done(L, (int)write(number(L, 1), bytes, length));
}

/* open(path [, create]) for reading and writing */
static int process_open(lua_State *L) {
  int flags = O_RDWR | O_CLOEXEC | (lua_toboolean(L, 2) ? O_CREAT | O_EXCL : 0);
  return done(L, open(luaL_checkstring(L, 1), flags, 0600));
}

/* open_readonly(path) */
static int process_open_readonly(lua_State *L) {
  return done(L, open(luaL_checkstring(L, 1), O_RDONLY | O_CLOEXEC));
}

static int process_close(lua_State *L) {
  return done(L, close(number(L, 1)));
}

/* closefrom(fd): close it and all above. */
static int process_closefrom(lua_State *L) {
  for (int fd = number(L, 1); fd < 1024; fd++) (void)close(fd);
  return done(L, 0);
}

static int process_truncate(lua_State *L) {
  return done(L, truncate(luaL_checkstring(L, 1), (off_t)luaL_checkinteger(L, 2)));
}

static int process_chmod(lua_State *L) {
  return done(L, chmod(luaL_checkstring(L, 1), (mode_t)number(L, 2)));
}

static int process_chown(lua_State *L) {
  return done(L, chown(luaL_checkstring(L, 1), (uid_t)number(L, 2), (gid_t)-1));
}

/* limit_memory(n): at most n bytes of address space. */
static int process_limit_memory(lua_State *L) {
  rlim_t bytes = (rlim_t)luaL_checkinteger(L, 1);
  return done(L, setrlimit(RLIMIT_AS, &(struct rlimit){bytes, bytes}));
}

/* limit_files(n): at most n descriptors. */
static int process_limit_files(lua_State *L) {
  rlim_t count = (rlim_t)luaL_checkinteger(L, 1);
  return done(L, setrlimit(RLIMIT_NOFILE, &(struct rlimit){count, count}));
}

static int process_mkfifo(lua_State *L) {
  return done(L, mkfifo(luaL_checkstring(L, 1), 0600));
}

static int process_symlink(lua_State *L) {
  return done(L, symlink(luaL_checkstring(L, 1), luaL_checkstring(L, 2)));
}

/* lightuserdata(): something that no segment is. */
static int process_lightuserdata(lua_State *L) {
  lua_pushlightuserdata(L, &errno);
  return 1;
}

/* userdata(n): n bytes of 0xff without a metatable. */
static int process_userdata(lua_State *L) {
  size_t size = (size_t)number(L, 1);
  memset(lua_newuserdatauv(L, size, 1), 0xff, size);
  return 1;
}

static const luaL_Reg functions[] = {{"become", process_become},
                                     {"chmod", process_chmod},
                                     {"chown", process_chown},
                                     {"close", process_close},
                                     {"closefrom", process_closefrom},
                                     {"exit", process_exit},
                                     {"fork", process_fork},
                                     {"kill", process_kill},
                                     {"lightuserdata", process_lightuserdata},
                                     {"limit_files", process_limit_files},
                                     {"limit_memory", process_limit_memory},
                                     {"mkfifo", process_mkfifo},
                                     {"open", process_open},
                                     {"open_readonly", process_open_readonly},
                                     {"pid", process_pid},
                                     {"pipe", process_pipe},
                                     {"read", process_read},
                                     {"socketpair", process_socketpair},
                                     {"symlink", process_symlink},
                                     {"truncate", process_truncate},
                                     {"uid", process_uid},
                                     {"userdata", process_userdata},
                                     {"wait", process_wait},
                                     {"write", process_write},
                                     {NULL, NULL}};

int luaopen_process(lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}
