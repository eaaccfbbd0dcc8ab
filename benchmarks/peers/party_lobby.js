// The thinnest lobby on Node.js in front of partyserver: party_lobby.js PORT PORT_OF_PARTY_RUN.
// It mints an id and a token, tells the room of the seat, and answers when the room has said yes.
const crypto = require("crypto");
const http = require("http");

const [port, partyPort] = process.argv.slice(2).map(Number);
const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
const rooms = new Map();

function register(id, seats) {
  const body = JSON.stringify(seats);
  const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
  const path = "/parties/seats/" + id;
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port: partyPort, path, method: "POST", agent, headers };
    const request = http.request(options, (answer) => {
      answer.resume();
      const good = answer.statusCode === 200;
      answer.on("end", () => (good ? resolve() : reject(new Error(answer.statusCode))));
    });
    request.on("error", reject);
    request.end(body);
  });
}

async function admit(path, { username, settings }) {
  const token = crypto.randomBytes(18).toString("base64url");
  const creates = path === "/api/rooms";
  const roomId = creates ? crypto.randomBytes(6).toString("hex") : path.split("/")[3];
  if (creates) rooms.set(roomId, { settings, seats: {} });
  rooms.get(roomId).seats[token] = username;
  await register(roomId, { [token]: username });
  return { roomId, token };
}

function answer(response, status, told) {
  const body = JSON.stringify(told);
  const length = Buffer.byteLength(body);
  response.writeHead(status, { "content-type": "application/json", "content-length": length });
  response.end(body);
}

const server = http.createServer((request, response) => {
  let body = "";
  request.on("data", (chunk) => (body += chunk));
  request.on("end", () =>
    admit(request.url, JSON.parse(body)).then(
      (admission) => answer(response, 201, admission),
      (problem) => answer(response, 500, { problem: String(problem) }),
    ),
  );
});
server.listen(port, "127.0.0.1");
