/* wsload: members of rooms. They open WebSockets, enter their rooms, speak, and count what they hear.
 *
 *     wsload [--members FILE] [--message TEXT] [--binary] [--senders first|all] [--step STEP]...
 *            [--pids NAME=PID,PID...]... [--phase PHASE]...
 *
 * FILE has a line for each member: the number of its room, its URL (ws://address:port/path) and,
 * where it needs one, a key, with tabs between them. Rooms are of one size, and the members of a room
 * follow each other.
 *
 * A STEP is ">text", which a member sends to enter, or "<text": it waits for a message with this
 * text in it, or for any when the text is empty. A MESSAGE is what members send afterwards. In all of
 * them %K stands for the member's key, %G for its room's number in four digits, %S for a running
 * number in eight, %T for the time at which the message was due, as "~T" and 16 hexadecimal digits,
 * and \xNN for a byte. A delivery is a "~T" that comes back, in whatever frame and however wrapped:
 * servers that join messages are counted like those that don't. So nothing is asked of a server but
 * to pass on the text as it is, to all of the room, the sender too.
 *
 * Members come in waves of WAVE. First all handshakes of a wave, up to the 101, CONCURRENT at a
 * time; then all their steps; then, when it has become quiet, the next wave. The times of the
 * handshakes and of the steps are summed up apart.
 *
 * Then the PHASEs, in order, each a name with options, such as "burst:window=50,measure=3":
 *
 *     burst   the first sender keeps `window` messages under way, for `warm` and `measure` seconds
 *     paced   `rate` messages per second of all senders in turn, sent when they are due, come what may
 *     search  the most deliveries per second whose p99 is below `limit` ms: from `low`, in steps of
 *             `factor`, then by halves until the next one would be nearer than `fine`; what fails is
 *             tried once more
 *     hold    nothing, until standard input ends
 *
 * Prints a line of JSON for the opening and for each phase. CPU time is that of the processes in
 * --pids by NAME, and of this one, within exactly what was measured. A lost connection, or a
 * delivery that is missing or too many when all is said, ends the program with status 1: such a run
 * has no figures.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { WAVE = 500, CONCURRENT = 64 };
enum { ROOMS_MAX = 65536, STEPS_MAX = 16, PHASES_MAX = 16, GROUPS_MAX = 8, PIDS_MAX = 64 };
enum { LINE_MAX_BYTES = 8192, FRAME_MAX = 65536, READ_BYTES = 1 << 20, EVENTS = 512 };
enum { SEARCH_STEPS_MAX = 40, AT_ONCE_MAX = 64 };
#define SECOND 1000000000ull /* in nanoseconds, as all times here */
#define QUIET (SECOND / 2)
#define STALLED (10 * SECOND)
#define OPENED_WITHIN (120 * SECOND)
#define MARK "~T"
enum { MARK_BYTES = 18 };

static const uint8_t MASK[4] = {0x37, 0xfa, 0x21, 0x3d};

typedef enum { CONNECTING = 1, SHAKING_HANDS, OPEN, ENTERED } State;

typedef struct {
  int socket, room, port, step;
  int may_speak; /* its steps that send may be taken */
  State state;
  char *host, *path, *key;
  uint8_t *read; /* the beginning of a frame whose end is still to come */
  size_t read_bytes, read_room;
  uint8_t *unsent;
  size_t unsent_bytes, unsent_room;
} Member;

typedef struct {
  char *text;
  size_t bytes;
} Text;

typedef struct {
  const char *name;
  int pids[PIDS_MAX], count;
} Group;

static Member *members;
static int member_count, poller, room_count, room_sizes[ROOMS_MAX];
static int opened, entered;
static Member **senders;
static int sender_count, all_send;
static Text steps[STEPS_MAX], message;
static int step_count, binary;
static Group groups[GROUPS_MAX];
static int group_count;
static unsigned running_number;
static uint64_t delivered, heard_bytes;

static void die(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputc('\n', stderr);
  exit(1);
}

/* Times */

static uint64_t clock_ns(clockid_t clock) {
  struct timespec now;
  return clock_gettime(clock, &now) ? 0 : now.tv_sec * SECOND + now.tv_nsec;
}

static uint64_t now_ns(void) { return clock_ns(CLOCK_MONOTONIC); }

/* CPU time that a group's processes took so far: their own clocks count in nanoseconds, where
 * /proc/PID/stat counts in hundredths of a second. */
static double group_cpu_s(const Group *group) {
  uint64_t total = 0;
  clockid_t clock;
  for (int i = 0; i < group->count; i++)
    if (!clock_getcpuclockid(group->pids[i], &clock)) total += clock_ns(clock);
  return total / 1e9;
}

typedef struct {
  double groups_s[GROUPS_MAX], own_s;
} Cpu;

static Cpu cpu_now(void) {
  Cpu cpu = {.own_s = clock_ns(CLOCK_PROCESS_CPUTIME_ID) / 1e9};
  for (int i = 0; i < group_count; i++) cpu.groups_s[i] = group_cpu_s(&groups[i]);
  return cpu;
}

static void cpu_add_since(Cpu *sum, Cpu before) {
  Cpu now = cpu_now();
  sum->own_s += now.own_s - before.own_s;
  for (int i = 0; i < group_count; i++) sum->groups_s[i] += now.groups_s[i] - before.groups_s[i];
}

static void print_cpu(Cpu cpu) {
  printf("\"client_cpu_s\": %.4f, \"cpu_s\": {", cpu.own_s);
  for (int i = 0; i < group_count; i++)
    printf("%s\"%s\": %.5f", i ? ", " : "", groups[i].name, cpu.groups_s[i]);
  printf("}");
}

/* Latencies, in a histogram whose 64 cells for each power of two are within 1.6 % of the truth */

enum { CELLS = 64, CELL_COUNT = 64 * CELLS };
static uint64_t cells[CELL_COUNT], latency_count, worst_ns, due_from;

static void forget_latencies(uint64_t from) {
  memset(cells, 0, sizeof cells);
  latency_count = worst_ns = 0;
  due_from = from;
}

static void keep_latency(uint64_t ns) {
  uint64_t us = ns >> 10; /* nearly */
  int cell = us;
  if (us >= CELLS) {
    int power = 63 - __builtin_clzll(us);
    cell = (power - 5) * CELLS + ((us >> (power - 6)) & (CELLS - 1));
  }
  cells[cell < CELL_COUNT ? cell : CELL_COUNT - 1]++;
  latency_count++;
  if (ns > worst_ns) worst_ns = ns;
}

static double cell_ms(int cell) {
  if (cell < CELLS) return (cell + .5) * 1024 / 1e6;
  return (CELLS + cell % CELLS + .5) * (1ull << (cell / CELLS - 1)) * 1024 / 1e6;
}

static double percentile_ms(double share) {
  uint64_t wanted = latency_count * share, seen = 0;
  for (int cell = 0; cell < CELL_COUNT; cell++)
    if ((seen += cells[cell]) > wanted) return cell_ms(cell);
  return worst_ns / 1e6;
}

/* What members send */

static void lost(const Member *member, const char *how) {
  die("member %d of room %d lost its connection: %s (%s)", (int)(member - members), member->room, how,
      strerror(errno));
}

static void watch(Member *member, int writable) {
  struct epoll_event event = {.events = EPOLLIN | (writable ? EPOLLOUT : 0),
                              .data.u32 = member - members};
  epoll_ctl(poller, EPOLL_CTL_MOD, member->socket, &event);
}

/* How many bytes of them the socket took. */
static size_t offer(Member *member, const void *bytes, size_t count) {
  ssize_t sent = send(member->socket, bytes, count, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) lost(member, "send");
  return sent < 0 ? 0 : sent;
}

static void send_rest(Member *member) {
  size_t sent = offer(member, member->unsent, member->unsent_bytes);
  member->unsent_bytes -= sent;
  memmove(member->unsent, member->unsent + sent, member->unsent_bytes);
  if (!member->unsent_bytes) watch(member, 0);
}

static void put(Member *member, const uint8_t *bytes, size_t count) {
  size_t sent = member->unsent_bytes ? 0 : offer(member, bytes, count);
  if (sent == count) return;
  if (!member->unsent_bytes) watch(member, 1);
  size_t needed = member->unsent_bytes + count - sent;
  if (needed > member->unsent_room) {
    member->unsent_room = 2 * needed;
    member->unsent = realloc(member->unsent, member->unsent_room);
  }
  memcpy(member->unsent + member->unsent_bytes, bytes + sent, count - sent);
  member->unsent_bytes = needed;
}

static void put_frame(Member *member, int opcode, const uint8_t *payload, size_t count) {
  uint8_t frame[FRAME_MAX + 8], *end = frame;
  *end++ = 0x80 | opcode;
  if (count < 126) *end++ = 0x80 | count;
  else *end++ = 0x80 | 126, *end++ = count >> 8, *end++ = count;
  memcpy(end, MASK, sizeof MASK);
  end += sizeof MASK;
  for (size_t i = 0; i < count; i++) *end++ = payload[i] ^ MASK[i & 3];
  put(member, frame, end - frame);
}

static size_t expand(const Member *member, Text text, uint64_t due, char *out) {
  char *start = out, *limit = out + FRAME_MAX - LINE_MAX_BYTES;
  for (size_t i = 0; i < text.bytes; i++) {
    if (out > limit) die("a message is too long");
    if (text.text[i] != '%') { *out++ = text.text[i]; continue; }
    switch (++i < text.bytes ? text.text[i] : 0) {
      case 'K': out = stpcpy(out, member->key); break;
      case 'G': out += sprintf(out, "%04d", member->room); break;
      case 'S': out += sprintf(out, "%08u", running_number++ % 100000000u); break;
      case 'T': out += sprintf(out, MARK "%016" PRIx64, due); break;
      default: die("%%%c stands for nothing", text.text[i]);
    }
  }
  return out - start;
}

static void say(Member *member, Text text, uint64_t due) {
  char expanded[FRAME_MAX];
  size_t bytes = expand(member, text, due, expanded);
  put_frame(member, binary ? 2 : 1, (uint8_t *)expanded, bytes);
}

/* What members hear */

static void enter(Member *member) {
  while (member->may_speak && member->step < step_count && *steps[member->step].text == '>') {
    Text step = steps[member->step++];
    say(member, (Text){step.text + 1, step.bytes - 1}, 0);
  }
  if (member->may_speak && member->step == step_count && member->state == OPEN) {
    member->state = ENTERED;
    entered++;
  }
}

static void hear_while_entering(Member *member, const uint8_t *text, size_t bytes) {
  if (member->step == step_count || *steps[member->step].text != '<') return;
  Text step = steps[member->step];
  if (step.bytes > 1 && !memmem(text, bytes, step.text + 1, step.bytes - 1)) return;
  member->step++;
  enter(member);
}

static int hex(uint8_t digit) { return digit <= '9' ? digit - '0' : (digit | 32) - 'a' + 10; }

static void hear_deliveries(const uint8_t *text, size_t bytes, uint64_t now) {
  const uint8_t *end = text + bytes;
  /* memchr and one look at what follows: memmem takes four times as long, and most of our time. */
  while ((text = memchr(text, MARK[0], end - text)) && text + MARK_BYTES <= end) {
    if (text[1] != MARK[1]) {
      text++;
      continue;
    }
    uint64_t due = 0;
    for (int i = strlen(MARK); i < MARK_BYTES; i++) due = due << 4 | hex(text[i]);
    text += MARK_BYTES;
    delivered++;
    if (due >= due_from && now > due) keep_latency(now - due);
  }
}

static void hear_frame(Member *member, int opcode, const uint8_t *payload, size_t bytes, uint64_t now) {
  if (opcode == 9) put_frame(member, 10, payload, bytes);
  if (opcode == 8) {
    int code = bytes < 2 ? 0 : payload[0] << 8 | payload[1];
    die("member %d of room %d was closed with %d", (int)(member - members), member->room, code);
  }
  if (opcode > 2) return;
  if (member->state == ENTERED) hear_deliveries(payload, bytes, now);
  else hear_while_entering(member, payload, bytes);
}

/* Where the first frame ends, or NULL as long as its end is missing. */
static uint8_t *frame_end(uint8_t *start, uint8_t *end, uint8_t **payload) {
  if (end - start < 2) return NULL;
  size_t bytes = start[1];
  int extended = bytes < 126 ? 0 : bytes < 127 ? 2 : 8;
  if (end - start < 2 + extended) return NULL;
  *payload = start + 2;
  if (extended) bytes = 0;
  for (int i = 0; i < extended; i++) bytes = bytes << 8 | *(*payload)++;
  return (size_t)(end - *payload) < bytes ? NULL : *payload + bytes;
}

static uint8_t *after_handshake(Member *member, uint8_t *start, uint8_t *end) {
  uint8_t *blank = memmem(start, end - start, "\r\n\r\n", 4);
  if (!blank) return NULL;
  if (memcmp(start, "HTTP/1.1 101", 12)) die("no upgrade: %.*s", (int)(blank - start), start);
  member->state = OPEN;
  opened++;
  return blank + 4;
}

static void hear(Member *member) {
  static uint8_t buffer[READ_BYTES];
  size_t kept = member->read_bytes;
  if (kept > READ_BYTES / 2) die("a frame is too large");
  if (kept) memcpy(buffer, member->read, kept);
  ssize_t got = recv(member->socket, buffer + kept, READ_BYTES - kept, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) lost(member, got ? "recv" : "end of stream");
  heard_bytes += got;

  uint64_t now = now_ns();
  uint8_t *start = buffer, *end = buffer + kept + got, *payload, *next;
  if (member->state == SHAKING_HANDS && (next = after_handshake(member, start, end))) {
    start = next;
    enter(member);
  }
  while (member->state >= OPEN && (next = frame_end(start, end, &payload))) {
    hear_frame(member, *start & 15, payload, next - payload, now);
    start = next;
  }
  member->read_bytes = end - start;
  if (member->read_bytes > member->read_room) {
    member->read_room = 2 * member->read_bytes;
    member->read = realloc(member->read, member->read_room);
  }
  if (member->read_bytes) memcpy(member->read, start, member->read_bytes);
}

/* Sockets */

static void dial(Member *member) {
  int yes = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(member->port)};
  struct epoll_event writable = {.events = EPOLLOUT, .data.u32 = member - members};
  inet_pton(AF_INET, member->host, &address.sin_addr);
  member->socket = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  setsockopt(member->socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  epoll_ctl(poller, EPOLL_CTL_ADD, member->socket, &writable);
  member->state = CONNECTING;
  if (connect(member->socket, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS)
    lost(member, "connect");
}

static void shake_hands(Member *member) {
  socklen_t size = sizeof errno;
  getsockopt(member->socket, SOL_SOCKET, SO_ERROR, &errno, &size);
  if (errno) lost(member, "connect");
  char request[LINE_MAX_BYTES];
  int bytes = snprintf(request, sizeof request,
                       "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       "Sec-WebSocket-Key: Z3JlZW5yb29tLWJlbmNoMQ==\r\nSec-WebSocket-Version: 13\r\n"
                       "Origin: http://%s:%d\r\n\r\n",
                       member->path, member->host, member->port, member->host, member->port);
  member->state = SHAKING_HANDS;
  watch(member, 0);
  put(member, (uint8_t *)request, bytes);
}

/* Serve what is ready; wait for it at most so long. */
static void serve(uint64_t wait_ns) {
  struct epoll_event ready[EVENTS];
  struct timespec wait = {wait_ns / SECOND, wait_ns % SECOND};
  int count = epoll_pwait2(poller, ready, EVENTS, &wait, NULL);
  for (int i = 0; i < count; i++) {
    Member *member = &members[ready[i].data.u32];
    if (member->state == CONNECTING) { shake_hands(member); continue; }
    if (ready[i].events & EPOLLOUT) send_rest(member);
    if (ready[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) hear(member);
  }
}

static void serve_until_quiet(void) {
  uint64_t heard = heard_bytes, quiet_since = now_ns();
  while (now_ns() < quiet_since + QUIET) {
    serve(SECOND / 50);
    if (heard_bytes != heard) heard = heard_bytes, quiet_since = now_ns();
  }
}

/* Everything that was asked for has to come, and nothing else. */
static void serve_until_delivered(uint64_t wanted) {
  uint64_t last = delivered, last_at = now_ns();
  while (delivered < wanted) {
    serve(SECOND / 500);
    if (delivered != last) last = delivered, last_at = now_ns();
    else if (now_ns() > last_at + STALLED) break;
  }
  if (delivered != wanted)
    die("%" PRIu64 " deliveries were due, and %" PRIu64 " came", wanted, delivered);
}

/* The opening */

typedef struct {
  uint64_t handshakes_ns, entering_ns;
  Cpu handshakes, entering;
} Opening;

static void serve_opening(uint64_t began) {
  serve(SECOND / 50);
  if (now_ns() > began + OPENED_WITHIN) die("of %d members %d have entered in time", member_count, entered);
}

static void open_wave(Opening *opening, int from, int to) {
  uint64_t began = now_ns();
  Cpu before = cpu_now();
  for (int next = from; opened < to; serve_opening(began))
    while (next < to && next - opened < CONCURRENT) dial(&members[next++]);
  opening->handshakes_ns += now_ns() - began;
  cpu_add_since(&opening->handshakes, before);

  began = now_ns(), before = cpu_now();
  for (int next = from; entered < to;) {
    while (next < to && next - entered < CONCURRENT) {
      members[next].may_speak = 1;
      enter(&members[next++]);
    }
    if (entered < to) serve_opening(began);
  }
  opening->entering_ns += now_ns() - began;
  cpu_add_since(&opening->entering, before);
  serve_until_quiet();
}

static void open_all(void) {
  Opening opening = {0};
  for (int from = 0; from < member_count; from += WAVE)
    open_wave(&opening, from, from + WAVE < member_count ? from + WAVE : member_count);
  printf("{\"phase\": \"open\", \"members\": %d, \"handshakes_s\": %.5f, \"entering_s\": %.5f, ",
         member_count, opening.handshakes_ns / 1e9, opening.entering_ns / 1e9);
  print_cpu(opening.handshakes);
  printf(", \"entering\": {"), print_cpu(opening.entering), puts("}}"), fflush(stdout);
}

/* The phases */

typedef struct {
  double seconds, wanted;
  uint64_t deliveries;
  Cpu cpu;
  double p50_ms, p99_ms, worst_ms;
  int gave_up;
} Measured;

typedef struct {
  double warm_s, measure_s;
} Span;

static double option(const char *phase, const char *name, double otherwise) {
  char sought[32];
  snprintf(sought, sizeof sought, "%s=", name);
  const char *found = strstr(phase, sought);
  return found ? atof(found + strlen(sought)) : otherwise;
}

static Span span_of(const char *phase) {
  return (Span){option(phase, "warm", 1), option(phase, "measure", 3)};
}

static void take_latencies(Measured *measured) {
  measured->p50_ms = percentile_ms(.5);
  measured->p99_ms = percentile_ms(.99);
  measured->worst_ms = worst_ns / 1e6;
}

static void report(const char *phase, const Measured *measured) {
  printf("{\"phase\": \"%.*s\", \"seconds\": %.5f, \"deliveries\": %" PRIu64 ", ",
         (int)strcspn(phase, ":"), phase, measured->seconds, measured->deliveries);
  printf("\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"worst_ms\": %.3f, ", measured->p50_ms,
         measured->p99_ms, measured->worst_ms);
  print_cpu(measured->cpu), puts("}"), fflush(stdout);
}

/* The window opens when it is warm: deliveries, CPU and latencies count from here. */
typedef struct {
  uint64_t opened_at, deliveries;
  Cpu cpu;
} Window;

static Window open_window(void) {
  Window window = {.deliveries = delivered, .cpu = cpu_now(), .opened_at = now_ns()};
  forget_latencies(window.opened_at);
  return window;
}

static Measured close_window(Window window) {
  Measured measured = {.deliveries = delivered - window.deliveries};
  measured.seconds = (now_ns() - window.opened_at) / 1e9;
  cpu_add_since(&measured.cpu, window.cpu);
  return measured;
}

static Measured burst(Span span, int window_size) {
  Member *sender = senders[0];
  int listeners = room_sizes[sender->room];
  uint64_t base = delivered, sent = 0, last = delivered, last_at = now_ns();
  uint64_t warm_at = last_at + span.warm_s * SECOND, end = warm_at + span.measure_s * SECOND, now;
  Window window = {0};
  while ((now = now_ns()) < end) {
    if (!window.opened_at && now >= warm_at) window = open_window();
    while (sent * listeners < delivered - base + (uint64_t)window_size * listeners)
      say(sender, message, now_ns()), sent++;
    serve(SECOND / 200);
    if (delivered != last) last = delivered, last_at = now;
    else if (now > last_at + STALLED) die("nothing was delivered any more");
  }
  Measured measured = close_window(window);
  serve_until_delivered(base + sent * listeners);
  take_latencies(&measured);
  return measured;
}

/* `behind_max`: with more deliveries outstanding it gives up; 0 for never. */
static Measured paced(Span span, double per_s, double behind_max) {
  uint64_t base = delivered, sent = 0, wanted = 0, wanted_before = 0;
  uint64_t began = now_ns(), warm_at = began + span.warm_s * SECOND, now;
  uint64_t end = warm_at + span.measure_s * SECOND, due = began;
  Window window = {0};
  int gave_up = 0;
  while ((now = now_ns()) < end && !gave_up) {
    if (!window.opened_at && now >= warm_at) window = open_window(), wanted_before = wanted;
    for (int count = 0; due <= now && count < AT_ONCE_MAX; count++) {
      Member *sender = senders[sent % sender_count];
      say(sender, message, due);
      wanted += room_sizes[sender->room];
      due = began + ++sent * SECOND / per_s;
    }
    gave_up = behind_max && wanted - (delivered - base) > behind_max;
    serve(due > now ? due - now : 0);
  }
  Measured measured = close_window(window);
  measured.wanted = wanted - wanted_before;
  measured.gave_up = gave_up;
  serve_until_delivered(base + wanted);
  take_latencies(&measured);
  return measured;
}

static double mean_listeners(void) {
  double sum = 0;
  for (int i = 0; i < sender_count; i++) sum += room_sizes[senders[i]->room];
  return sum / sender_count;
}

static int keeps_up(const Measured *measured, double limit_ms) {
  return !measured->gave_up && measured->p99_ms < limit_ms &&
         measured->deliveries > .97 * measured->wanted;
}

/* A hiccup of the machine is no server's limit: what was too much is tried once more. */
static Measured try_twice(Span span, double per_s, double behind_max, double limit_ms) {
  Measured first = paced(span, per_s, behind_max);
  return keeps_up(&first, limit_ms) ? first : paced(span, per_s, behind_max);
}

static Measured search(const char *phase) {
  double next = option(phase, "low", 8000), factor = option(phase, "factor", 2);
  double limit_ms = option(phase, "limit", 100), fine = option(phase, "fine", 1.09);
  double low = 0, high = 0, listeners = mean_listeners();
  Measured best = {0};
  for (int i = 0; i < SEARCH_STEPS_MAX && !(low && high && high / low < fine); i++) {
    Measured step = try_twice(span_of(phase), next / listeners, next * .6 + 2000, limit_ms);
    if (keeps_up(&step, limit_ms)) low = next, best = step;
    else high = next;
    next = !high ? low * factor : !low ? high / factor / factor : (low + high) / 2;
    if (next < 10) die("not even a few deliveries per second come in time");
  }
  return best;
}

static void hold(void) {
  char byte;
  puts("{\"phase\": \"hold\"}"), fflush(stdout);
  fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
  while (read(STDIN_FILENO, &byte, 1)) serve(SECOND / 20); /* until its end, which is 0 */
}

static void run(const char *phase) {
  Measured measured;
  if (!strncmp(phase, "burst", 5)) measured = burst(span_of(phase), option(phase, "window", 50));
  else if (!strncmp(phase, "paced", 5)) measured = paced(span_of(phase), option(phase, "rate", 200), 0);
  else if (!strncmp(phase, "search", 6)) measured = search(phase);
  else if (!strncmp(phase, "hold", 4)) { hold(); return; }
  else die("there is no phase %s", phase);
  report(phase, &measured);
}

/* What was asked for */

static Text unescaped(const char *text) {
  Text out = {.text = malloc(strlen(text) + 1)};
  while (*text) {
    unsigned byte;
    if (sscanf(text, "\\x%2x", &byte) == 1) out.text[out.bytes++] = byte, text += 4;
    else out.text[out.bytes++] = *text++;
  }
  out.text[out.bytes] = 0;
  return out;
}

static void read_member(Member *member, char *line) {
  char *room = strsep(&line, "\t"), *url = strsep(&line, "\t");
  if (!url || strncmp(url, "ws://", 5)) die("a member needs a room and a ws:// URL");
  char *address = url + 5, *path = strchr(address, '/');
  member->room = atoi(room);
  if (member->room < 0 || member->room >= ROOMS_MAX) die("at most %d rooms", ROOMS_MAX);
  if (!room_sizes[member->room]++) room_count++;
  member->path = strdup(path ? path : "/");
  if (path) *path = 0;
  member->host = strdup(strsep(&address, ":"));
  member->port = address ? atoi(address) : 80;
  member->key = strdup(line ? line : "");
}

static void read_members(const char *name) {
  FILE *file = fopen(name, "r");
  if (!file) die("%s cannot be read", name);
  char line[LINE_MAX_BYTES];
  while (fgets(line, sizeof line, file)) {
    line[strcspn(line, "\n")] = 0;
    members = realloc(members, (member_count + 1) * sizeof *members);
    memset(&members[member_count], 0, sizeof *members);
    read_member(&members[member_count++], line);
  }
  fclose(file);
  if (!member_count) die("there are no members");
}

/* The first member of each room, or all: in turn, so that one message after the other is for
 * another room. */
static void choose_senders(void) {
  int size = member_count / room_count;
  if (size * room_count != member_count) die("the rooms are not of one size");
  sender_count = all_send ? member_count : room_count;
  senders = malloc(sender_count * sizeof *senders);
  for (int i = 0; i < sender_count; i++) senders[i] = &members[i % room_count * size + i / room_count];
}

static void read_pids(char *list) {
  if (group_count == GROUPS_MAX) die("at most %d groups of processes", GROUPS_MAX);
  Group *group = &groups[group_count++];
  group->name = strsep(&list, "=");
  for (char *pid; (pid = strsep(&list, ","));)
    if (*pid && group->count < PIDS_MAX) group->pids[group->count++] = atoi(pid);
}

static void allow_files(void) {
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
}

int main(int argc, char **argv) {
  const char *phases[PHASES_MAX], *file = "/dev/stdin";
  int phase_count = 0;
  for (int i = 1; i < argc; i++) {
    const char *name = argv[i];
    if (!strcmp(name, "--binary")) { binary = 1; continue; }
    if (++i == argc) die("%s needs a value", name);
    if (!strcmp(name, "--members")) file = argv[i];
    else if (!strcmp(name, "--message")) message = unescaped(argv[i]);
    else if (!strcmp(name, "--senders")) all_send = !strcmp(argv[i], "all");
    else if (!strcmp(name, "--pids")) read_pids(argv[i]);
    else if (!strcmp(name, "--step") && step_count < STEPS_MAX) steps[step_count++] = unescaped(argv[i]);
    else if (!strcmp(name, "--phase") && phase_count < PHASES_MAX) phases[phase_count++] = argv[i];
    else die("what is %s?", name);
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL); /* nobody would read the figures */
  allow_files();
  read_members(file);
  choose_senders();
  poller = epoll_create1(0);
  open_all();
  for (int i = 0; i < phase_count; i++) run(phases[i]);
  return 0;
}
