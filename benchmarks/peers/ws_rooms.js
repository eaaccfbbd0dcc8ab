// Rooms on the ws package: whoever opens a path is in its room, and hears what anybody in it says.
const { WebSocketServer } = require("ws");

const rooms = new Map();
const server = new WebSocketServer({
  port: Number(process.argv[2]),
  host: "127.0.0.1",
  backlog: 1024,
  perMessageDeflate: false,
});

server.on("connection", (socket, { url }) => {
  if (!rooms.has(url)) rooms.set(url, new Set());
  const room = rooms.get(url);
  room.add(socket);
  socket.on("message", (data, isBinary) => {
    for (const member of room) member.send(data, { binary: isBinary });
  });
  socket.on("close", () => room.delete(socket));
});
