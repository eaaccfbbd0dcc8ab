/* httpload: clients of a lobby. Each creates a room, joins it a few times, and starts anew.
 *
 *     httpload PORTS ROUTES CLIENTS JOINS WARM_S MEASURE_S HEADER CREATE KEY JOIN
 *
 * CREATE and JOIN are "METHOD path body". In them %N stands for a running number, %J for the number
 * of the join from 0, %C for the number of the client, %R for a number of the client's room that no
 * other room has, and %K for the room's id: what follows KEY in CREATE's answer, up to a quote. An
 * empty KEY: the answer says none. HEADER is sent with every request, unless it is empty.
 *
 * A client has one connection to each port of 127.0.0.1 that it uses, and one request under way: a
 * closed loop. PORTS are separated by commas. With ROUTES "sticky" a client asks one of them, and as
 * many ask each; with "any" each request goes to one by chance.
 *
 * Prints "measuring" when it is warm, and in the end one line of JSON: times of creates, of joins,
 * and of all that each port was asked. An answer that is not 2xx, or a lost connection, ends the
 * program with status 1: such a run has no figures.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS_MAX = 4096, PORTS_MAX = 8, ROOM_MAX = 64, REQUEST_MAX = 8192, ANSWER_MAX = 65536 };
enum { KEPT_MAX = 4000000 }; /* latencies */

typedef struct {
  int sockets[PORTS_MAX];
  int port;        /* which of them is asked */
  int number;
  unsigned long room_number;
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

static int ports[PORTS_MAX], port_count, joins, any_port;
static const char *header, *create, *key, *join;
static unsigned long running_number, room_count;
static int measuring;
static Latencies of_creates, of_joins, of_ports[PORTS_MAX];

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
    else if (*c == 'C') out += sprintf(out, "%d", client->number);
    else if (*c == 'R') out += sprintf(out, "%lu", client->room_number);
    else die("%%%c stands for nothing", *c);
  }
  *out = 0;
}

static void ask(Client *client) {
  char text[REQUEST_MAX], request[2 * REQUEST_MAX];
  if (!client->step) client->room_number = room_count++;
  if (any_port) client->port = random() % port_count;
  expand(client, client->step ? join : create, text);
  char *rest = text, *method = strsep(&rest, " "), *path = strsep(&rest, " ");
  const char *body = rest ? rest : "";
  int length = snprintf(request, sizeof request,
                        "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAccept: application/json\r\n"
                        "Content-Type: application/json\r\n%s%sContent-Length: %zu\r\n\r\n%s",
                        method, path, ports[client->port], header, *header ? "\r\n" : "",
                        strlen(body), body);
  client->length = 0;
  client->asked_at = now_s();
  if (send(client->sockets[client->port], request, length, MSG_NOSIGNAL) != length)
    die("a connection was lost");
}

static int dial(int port, int poll, unsigned number) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  struct epoll_event readable = {.events = EPOLLIN, .data.u32 = number};
  int yes = 1, dialled = socket(AF_INET, SOCK_STREAM, 0);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(dialled, (struct sockaddr *)&address, sizeof address)) die("cannot connect");
  setsockopt(dialled, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  epoll_ctl(poll, EPOLL_CTL_ADD, dialled, &readable);
  return dialled;
}

static void begin(Client *client, int poll, int number) {
  client->number = number;
  client->port = number % port_count;
  for (int i = 0; i < port_count; i++)
    if (any_port || i == client->port) client->sockets[i] = dial(ports[i], poll, number);
  ask(client);
}

/* Answers */

static void keep(Latencies *kept, float ms) {
  if (kept->count < KEPT_MAX) kept->ms[kept->count++] = ms;
}

static void record(const Client *client) {
  if (!measuring) return;
  float ms = (now_s() - client->asked_at) * 1e3;
  keep(client->step ? &of_joins : &of_creates, ms);
  keep(&of_ports[client->port], ms);
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
  ssize_t got = recv(client->sockets[client->port], end, ANSWER_MAX - 1 - client->length, 0);
  if (got <= 0) die("a connection was lost");
  end[got] = 0;
  client->length += got;
  const char *body = complete_body(client);
  if (!body) return;
  if (client->answer[strlen("HTTP/1.1 ")] != '2') die("refused: %.300s", client->answer);
  record(client);
  if (!client->step && *key) keep_room(client, body);
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
  if (!kept->count) die("of %s not one was answered", name);
  qsort(kept->ms, kept->count, sizeof *kept->ms, by_size);
  printf("%s{\"requests\": %zu, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"worst_ms\": %.3f}", name,
         kept->count, kept->ms[kept->count / 2], kept->ms[kept->count * 99 / 100],
         kept->ms[kept->count - 1]);
}

static double cpu_s(void) {
  struct rusage own;
  getrusage(RUSAGE_SELF, &own);
  return own.ru_utime.tv_sec + own.ru_stime.tv_sec +
         (own.ru_utime.tv_usec + own.ru_stime.tv_usec) / 1e6;
}

static void read_ports(char *list) {
  for (char *one; (one = strsep(&list, ","));) {
    if (port_count == PORTS_MAX) die("at most %d ports", PORTS_MAX);
    of_ports[port_count].ms = malloc(KEPT_MAX * sizeof(float));
    ports[port_count++] = atoi(one);
  }
}

int main(int argc, char **argv) {
  if (argc != 11)
    die("httpload PORTS ROUTES CLIENTS JOINS WARM_S MEASURE_S HEADER CREATE KEY JOIN");
  int count = atoi(argv[3]), poll = epoll_create1(0);
  double warm_s = atof(argv[5]), measure_s = atof(argv[6]);
  read_ports(argv[1]), any_port = !strcmp(argv[2], "any"), joins = atoi(argv[4]);
  header = argv[7], create = argv[8], key = argv[9], join = argv[10];
  if (count < port_count || count > CLIENTS_MAX) die("%d to %d clients", port_count, CLIENTS_MAX);
  Client *clients = calloc(count, sizeof *clients);
  of_creates.ms = malloc(KEPT_MAX * sizeof(float)), of_joins.ms = malloc(KEPT_MAX * sizeof(float));
  for (int i = 0; i < count; i++) begin(&clients[i], poll, i);

  serve_until(poll, clients, now_s() + warm_s);
  measuring = 1;
  puts("measuring"), fflush(stdout);
  double began_s = now_s(), spent_s = cpu_s();
  serve_until(poll, clients, began_s + measure_s);
  double seconds = now_s() - began_s;
  printf("{\"seconds\": %.4f, \"cpu_s\": %.3f, \"requests\": %zu", seconds, cpu_s() - spent_s,
         of_creates.count + of_joins.count);
  report(", \"create\": ", &of_creates), report(", \"join\": ", &of_joins);
  for (int i = 0; i < port_count; i++) report(i ? ", " : ", \"ports\": [", &of_ports[i]);
  puts("]}");
  return 0;
}
