/* httpload: clients of a lobby. Each creates a room, joins it a few times, and starts anew.
 *
 *     httpload PORT CLIENTS JOINS WARM_S MEASURE_S CREATE KEY JOIN
 *
 * CREATE and JOIN are "METHOD path body". In them %N stands for a running number, %J for the number
 * of the join from 0, and %K for the room's id: what follows KEY in CREATE's answer, up to a quote.
 * A client has one connection to 127.0.0.1 and one request under way: a closed loop.
 *
 * Prints "measuring" when it is warm, and in the end one line of JSON. An answer that is not 2xx, or
 * a lost connection, ends the program with status 1: such a run has no figures.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS_MAX = 4096, ROOM_MAX = 64, REQUEST_MAX = 8192, ANSWER_MAX = 65536 };
enum { KEPT_MAX = 4000000 }; /* latencies */

typedef struct {
  int socket;
  int step;        /* 0: creates; n: joins for the nth time */
  double asked_at; /* seconds */
  char room[ROOM_MAX];
  char answer[ANSWER_MAX];
  size_t length; /* of the answer so far */
} Client;

typedef struct {
  float *ms;
  size_t count;
} Latencies;

static int port, joins;
static const char *create, *key, *join;
static unsigned long running_number;
static int measuring;
static Latencies of_creates, of_joins;

static void die(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputc('\n', stderr);
  exit(1);
}

static double now_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec + now.tv_nsec / 1e9;
}

/* Requests */

static void expand(const Client *client, const char *template, char *out) {
  const char *limit = out + REQUEST_MAX - ROOM_MAX;
  for (const char *c = template; *c; c++) {
    if (out >= limit) die("the request is too long");
    if (*c != '%') *out++ = *c;
    else if (*++c == 'K') out += sprintf(out, "%s", client->room);
    else if (*c == 'J') out += sprintf(out, "%d", client->step - 1);
    else if (*c == 'N') out += sprintf(out, "%lu", running_number++);
    else die("%%%c stands for nothing", *c);
  }
  *out = 0;
}

static void ask(Client *client) {
  char text[REQUEST_MAX], request[2 * REQUEST_MAX];
  expand(client, client->step ? join : create, text);
  char *rest = text, *method = strsep(&rest, " "), *path = strsep(&rest, " ");
  const char *body = rest ? rest : "";
  int length = snprintf(request, sizeof request,
                        "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAccept: application/json\r\n"
                        "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                        method, path, port, strlen(body), body);
  client->length = 0;
  client->asked_at = now_s();
  if (send(client->socket, request, length, MSG_NOSIGNAL) != length) die("a connection was lost");
}

static void dial(Client *client, int poll, unsigned number) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  struct epoll_event readable = {.events = EPOLLIN, .data.u32 = number};
  int yes = 1;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  client->socket = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(client->socket, (struct sockaddr *)&address, sizeof address)) die("cannot connect");
  setsockopt(client->socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  epoll_ctl(poll, EPOLL_CTL_ADD, client->socket, &readable);
}

/* Answers */

static void record(const Client *client) {
  Latencies *kept = client->step ? &of_joins : &of_creates;
  if (measuring && kept->count < KEPT_MAX)
    kept->ms[kept->count++] = (now_s() - client->asked_at) * 1e3;
}

static void keep_room(Client *client, const char *body) {
  const char *id = strstr(body, key);
  if (!id) die("no room id in the answer: %.300s", body);
  id += strlen(key);
  snprintf(client->room, ROOM_MAX, "%.*s", (int)strcspn(id, "\""), id);
}

/* The body of a complete answer, or NULL as long as something is missing. */
static const char *complete_body(Client *client) {
  char *body = strstr(client->answer, "\r\n\r\n");
  if (!body) return NULL;
  body += 4;
  char *length = strcasestr(client->answer, "\r\ncontent-length:");
  if (!length || length > body) die("an answer without Content-Length");
  return strlen(body) >= strtoul(length + 17, NULL, 10) ? body : NULL;
}

static void hear(Client *client) {
  char *end = client->answer + client->length;
  ssize_t got = recv(client->socket, end, ANSWER_MAX - 1 - client->length, 0);
  if (got <= 0) die("a connection was lost");
  end[got] = 0;
  client->length += got;
  const char *body = complete_body(client);
  if (!body) return;
  if (client->answer[strlen("HTTP/1.1 ")] != '2') die("refused: %.300s", client->answer);
  record(client);
  if (!client->step) keep_room(client, body);
  client->step = (client->step + 1) % (joins + 1);
  ask(client);
}

/* The run */

static void serve_until(int poll, Client *clients, double deadline_s) {
  struct epoll_event ready[64];
  while (now_s() < deadline_s)
    for (int n = epoll_wait(poll, ready, 64, 20); n > 0; n--) hear(&clients[ready[n - 1].data.u32]);
}

static int by_size(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

static void report(const char *name, Latencies *kept) {
  if (!kept->count) die("not one %s was answered", name);
  qsort(kept->ms, kept->count, sizeof *kept->ms, by_size);
  printf(", \"%s\": {\"p50_ms\": %.3f, \"p99_ms\": %.3f}", name, kept->ms[kept->count / 2],
         kept->ms[kept->count * 99 / 100]);
}

int main(int argc, char **argv) {
  if (argc != 9) die("httpload PORT CLIENTS JOINS WARM_S MEASURE_S CREATE KEY JOIN");
  int count = atoi(argv[2]), poll = epoll_create1(0);
  double warm_s = atof(argv[4]), measure_s = atof(argv[5]);
  port = atoi(argv[1]), joins = atoi(argv[3]), create = argv[6], key = argv[7], join = argv[8];
  if (count < 1 || count > CLIENTS_MAX) die("1 to %d clients", CLIENTS_MAX);
  Client *clients = calloc(count, sizeof *clients);
  of_creates.ms = malloc(KEPT_MAX * sizeof(float)), of_joins.ms = malloc(KEPT_MAX * sizeof(float));
  for (int i = 0; i < count; i++) dial(&clients[i], poll, i), ask(&clients[i]);

  serve_until(poll, clients, now_s() + warm_s);
  measuring = 1;
  puts("measuring"), fflush(stdout);
  double began_s = now_s();
  serve_until(poll, clients, began_s + measure_s);
  double seconds = now_s() - began_s;
  printf("{\"seconds\": %.4f, \"requests\": %zu", seconds, of_creates.count + of_joins.count);
  report("create", &of_creates), report("join", &of_joins);
  puts("}");
  return 0;
}
