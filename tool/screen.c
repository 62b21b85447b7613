/* SPDX-License-Identifier: MIT */
#include "screen.h"

#include <curses.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>

#include "report.h"
#include "table.h"

/* Of term.h's macros for what terminals can do. */
#undef lines
#include "text.h"

static SCREEN *screen;
static bool colored;

/* ---- Signals -------------------------------------------------------------------------------- */

/*
 * Handled here and not by ncurses, which would write to the terminal from inside a handler. They
 * are blocked but while a key is waited for, so none can come between a look at the flags and the
 * waiting.
 */
static const int handled[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH};
enum { HANDLED = sizeof handled / sizeof handled[0] };

static volatile sig_atomic_t ending, stopping, continued, resized;
static struct sigaction actions_before[HANDLED];
static sigset_t mask_before;

static void note_signal(int signal) {
  switch (signal) {
    case SIGTSTP:
      stopping = 1;
      break;
    case SIGCONT:
      continued = 1;
      break;
    case SIGWINCH:
      resized = 1;
      break;
    default:
      ending = signal;
  }
}

static void take_signals(void) {
  struct sigaction action = {.sa_handler = note_signal};
  sigset_t set;
  (void)sigemptyset(&set);
  for (size_t i = 0; i < HANDLED; i++) {
    (void)sigaction(handled[i], NULL, &actions_before[i]);
    /* What whoever started us wants ignored, as nohup does, stays so. */
    bool ignored = actions_before[i].sa_handler == SIG_IGN;
    if (!ignored) (void)sigaction(handled[i], &action, NULL);
    (void)sigaddset(&set, handled[i]);
  }
  (void)sigprocmask(SIG_BLOCK, &set, &mask_before);
}

static void give_signals_back(void) {
  for (size_t i = 0; i < HANDLED; i++) (void)sigaction(handled[i], &actions_before[i], NULL);
  (void)sigprocmask(SIG_SETMASK, &mask_before, NULL);
}

/* As if nobody had handled it, so that whoever waits for us sees what happened. */
_Noreturn static void die_of(int signal) {
  sigset_t set;
  screen_end();
  (void)sigemptyset(&set);
  (void)sigaddset(&set, signal);
  (void)sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
  (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
  (void)raise(signal);
  exit(EXIT_FAILURE);
}

/* The terminal is the shell's until it continues us. */
static void stop(void) {
  sigset_t set;
  struct sigaction before;
  (void)endwin();
  (void)sigaction(SIGTSTP, &(struct sigaction){.sa_handler = SIG_DFL}, &before);
  (void)sigemptyset(&set);
  (void)sigaddset(&set, SIGTSTP);
  (void)raise(SIGTSTP);
  (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
  /* Here it stops. */
  (void)sigprocmask(SIG_BLOCK, &set, NULL);
  (void)sigaction(SIGTSTP, &before, NULL);
  stopping = 0;
  continued = 1;
}

static void adapt_size(void) {
  struct winsize size;
  resized = 0;
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return;
  if (size.ws_row > 0 && size.ws_col > 0) (void)resizeterm(size.ws_row, size.ws_col);
}

/* Whether all has to be drawn again. */
static bool answer_signals(void) {
  if (ending) die_of(ending);
  if (stopping) stop();
  bool redraw = continued || resized;
  if (continued) {
    continued = 0;
    resized = 1;
    (void)reset_prog_mode();
    (void)clearok(curscr, TRUE);
  }
  if (resized) adapt_size();
  return redraw;
}

/* ---- Beginning and end ---------------------------------------------------------------------- */

bool screen_is_possible(void) {
  int error = 0;
  const char *terminal = getenv("TERM");
  if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) return false;
  if (terminal == NULL || *terminal == '\0') {
    report_fatal("TERM is not set, so it is not known how to draw on this terminal: set it, for "
                 "example TERM=xterm, or have lines of text, for example by '| cat'");
  }
  if (setupterm(NULL, STDOUT_FILENO, &error) != OK && error != 1) {
    report_fatal("nothing is known about the terminal that TERM names, '%s': set another, for "
                 "example TERM=xterm, or have lines of text, for example by '| cat'",
                 terminal);
  }
  /* What cannot move its cursor, such as "dumb", is for lines. */
  return cursor_address != NULL;
}

static void begin_colors(void) {
  static const short colors[] = {
      [SCREEN_HOT] = COLOR_YELLOW, [SCREEN_WARM] = COLOR_YELLOW, [SCREEN_COOL] = COLOR_CYAN,
      [SCREEN_GONE] = COLOR_RED,   [SCREEN_GREEN] = COLOR_GREEN, [SCREEN_YELLOW] = COLOR_YELLOW,
      [SCREEN_RED] = COLOR_RED,    [SCREEN_CYAN] = COLOR_CYAN};
  colored = colors_are_wanted() && has_colors() && start_color() == OK;
  if (!colored) return;
  (void)use_default_colors();
  for (int style = SCREEN_HOT; style <= SCREEN_CYAN; style++) {
    (void)init_pair((short)style, colors[style], -1);
  }
}

void screen_begin(void) {
  take_signals();
  report_hold(true);
  screen = newterm(NULL, stdout, stdin);
  if (screen == NULL) {
    report_hold(false);
    report_fatal("cannot draw on this terminal");
  }
  (void)atexit(screen_end);
  (void)cbreak();
  (void)noecho();
  (void)nonl();
  (void)keypad(stdscr, TRUE);
  (void)nodelay(stdscr, TRUE);
  (void)set_escdelay(50);
  (void)curs_set(0);
  begin_colors();
  adapt_size();
}

void screen_end(void) {
  if (screen == NULL) return;
  (void)endwin();
  delscreen(screen);
  screen = NULL;
  report_hold(false);
  give_signals_back();
}

/* ---- Drawing -------------------------------------------------------------------------------- */

int screen_rows(void) {
  return getmaxy(stdscr);
}

int screen_columns(void) {
  return getmaxx(stdscr);
}

void screen_clear(void) {
  (void)erase();
}

static void set_style(enum screen_style style) {
  static const attr_t attributes[] = {[SCREEN_PLAIN] = A_NORMAL,
                                      [SCREEN_HEADING] = A_REVERSE,
                                      [SCREEN_SELECTED] = A_BOLD | A_REVERSE,
                                      [SCREEN_HOT] = A_REVERSE,
                                      [SCREEN_WARM] = A_BOLD,
                                      [SCREEN_COOL] = A_UNDERLINE,
                                      [SCREEN_GONE] = A_DIM,
                                      [SCREEN_GREEN] = A_NORMAL,
                                      [SCREEN_YELLOW] = A_NORMAL,
                                      [SCREEN_RED] = A_NORMAL,
                                      [SCREEN_CYAN] = A_NORMAL};
  int pair = colored && style >= SCREEN_HOT ? (int)style : 0;
  (void)attr_set(attributes[style], (short)pair, NULL);
}

/* The next character as one that can be shown, and how many bytes it was. */
static wchar_t next_character(const char *text, size_t *bytes) {
  wchar_t character = L'?';
  mbstate_t state = {0};
  size_t length = mbrtowc(&character, text, strlen(text), &state);
  *bytes = length == 0 || length > 16 ? 1 : length;
  if (length > 16 || !iswprint((wint_t)character) || wcwidth(character) < 1) return L'?';
  return character;
}

int screen_width(const char *text) {
  int width = 0;
  for (size_t bytes; *text != '\0'; text += bytes) width += wcwidth(next_character(text, &bytes));
  return width;
}

int screen_put(int row, int column, int end, enum screen_style style, const char *text) {
  if (end > screen_columns()) end = screen_columns();
  if (row < 0 || row >= screen_rows()) return column;
  set_style(style);
  for (size_t bytes; *text != '\0'; text += bytes) {
    wchar_t character = next_character(text, &bytes);
    int width = wcwidth(character);
    if (column < 0 || column + width > end) break;
    (void)mvaddnwstr(row, column, &character, 1);
    column += width;
  }
  return column;
}

int screen_fill(int row, int column, int end, enum screen_style style) {
  int last = end < screen_columns() ? end : screen_columns();
  for (int at = column; at < last; at++) (void)screen_put(row, at, last, style, " ");
  return end > column ? end : column;
}

void screen_show(void) {
  (void)refresh();
}

/* ---- Keys ----------------------------------------------------------------------------------- */

static int translate(int code, wint_t character) {
  static const struct {
    wint_t from;
    int to;
  } keys[] = {{KEY_UP, SCREEN_UP},         {KEY_DOWN, SCREEN_DOWN},
              {KEY_LEFT, SCREEN_LEFT},     {KEY_RIGHT, SCREEN_RIGHT},
              {KEY_PPAGE, SCREEN_PAGE_UP}, {KEY_NPAGE, SCREEN_PAGE_DOWN},
              {KEY_HOME, SCREEN_HOME},     {KEY_END, SCREEN_END},
              {KEY_ENTER, SCREEN_ENTER},   {KEY_BACKSPACE, SCREEN_BACKSPACE},
              {KEY_RESIZE, SCREEN_RESIZED}};
  if (code == OK) {
    if (character == '\r' || character == '\n') return SCREEN_ENTER;
    if (character == 0x7f || character == '\b') return SCREEN_BACKSPACE;
    return character == 0x1b ? SCREEN_ESCAPE : (int)character;
  }
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    if (keys[i].from == character) return keys[i].to;
  }
  return SCREEN_NONE;
}

/* Whether something can be read; a terminal that was hung up cannot any more. */
static bool wait_for_input(int milliseconds) {
  struct timespec time = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000L};
  struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
  int ready = ppoll(&input, 1, &time, &mask_before);
  if (ready > 0 && (input.revents & (POLLHUP | POLLERR))) die_of(SIGHUP);
  return ready > 0;
}

int screen_key(int milliseconds) {
  wint_t character = 0;
  int code = get_wch(&character);
  if (code == ERR) {
    bool ready = wait_for_input(milliseconds < 0 ? 0 : milliseconds);
    if (answer_signals()) return SCREEN_RESIZED;
    if (ready) code = get_wch(&character);
  }
  return code == ERR ? SCREEN_NONE : translate(code, character);
}

/* ---- Asking --------------------------------------------------------------------------------- */

static void draw_question(const char *question, const char *text) {
  int row = screen_rows() - 1;
  int column = screen_put(row, 0, INT_MAX, SCREEN_HEADING, question);
  column = screen_put(row, column, INT_MAX, SCREEN_PLAIN, " ");
  column = screen_put(row, column, INT_MAX, SCREEN_PLAIN, text);
  column = screen_put(row, column, INT_MAX, SCREEN_HEADING, " ");
  (void)screen_fill(row, column, INT_MAX, SCREEN_PLAIN);
  screen_show();
}

static void remove_character(char *text) {
  size_t length = strlen(text);
  if (length > 0) length--;
  while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80) length--;
  text[length] = '\0';
}

static void add_character(char *text, size_t size, int key) {
  char bytes[MB_LEN_MAX + 1] = "";
  mbstate_t state = {0};
  size_t count = key < SCREEN_NONE && iswprint((wint_t)key) ? wcrtomb(bytes, (wchar_t)key, &state)
                                                            : (size_t)-1;
  if (count == (size_t)-1 || strlen(text) + count >= size) return;
  strncat(text, bytes, count);
}

bool screen_ask(const char *question, char *text, size_t size) {
  for (;;) {
    draw_question(question, text);
    int key = screen_key(1000);
    if (key == SCREEN_ENTER) return true;
    if (key == SCREEN_ESCAPE || key == SCREEN_RESIZED) return false;
    if (key == SCREEN_BACKSPACE) {
      remove_character(text);
    } else {
      add_character(text, size, key);
    }
  }
}

/* ---- Lines of text -------------------------------------------------------------------------- */

void screen_text_add(struct screen_text *self, char *line) {
  self->lines = must(reallocarray(self->lines, self->count + 1, sizeof *self->lines));
  self->lines[self->count++] = line;
}

void screen_text_free(struct screen_text *self) {
  for (size_t i = 0; i < self->count; i++) free(self->lines[i]);
  free(self->lines);
  *self = (struct screen_text){0};
}

static size_t page(void) {
  return screen_rows() > 2 ? (size_t)screen_rows() - 2 : 1;
}

void screen_text_draw(struct screen_text *self, const char *title) {
  if (self->top + page() > self->count) self->top = self->count > page() ? self->count - page() : 0;
  screen_clear();
  int end = screen_put(0, 0, INT_MAX, SCREEN_HEADING, title);
  (void)screen_fill(0, end, INT_MAX, SCREEN_HEADING);
  for (size_t i = 0; i < page() && self->top + i < self->count; i++) {
    (void)screen_put((int)i + 1, 0, INT_MAX, SCREEN_PLAIN, self->lines[self->top + i]);
  }
  const char *more = self->top + page() < self->count ? "q back, more below" : "q back";
  (void)screen_put(screen_rows() - 1, 0, INT_MAX, SCREEN_WARM, more);
  screen_show();
}

bool screen_text_scroll(struct screen_text *self, int key) {
  size_t up = self->top;
  switch (key) {
    case SCREEN_UP:
      self->top -= up > 0;
      return true;
    case SCREEN_DOWN:
      self->top++;
      return true;
    case SCREEN_PAGE_UP:
      self->top -= up < page() ? up : page();
      return true;
    case SCREEN_PAGE_DOWN:
    case ' ':
      self->top += page();
      return true;
    case SCREEN_HOME:
      self->top = 0;
      return true;
    case SCREEN_END:
      self->top = self->count;
      return true;
    case SCREEN_NONE:
    case SCREEN_RESIZED:
      return true;
    default:
      return false;
  }
}
