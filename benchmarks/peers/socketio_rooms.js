// Rooms on Socket.IO, as its documentation makes them; WebSocket only, and no heartbeats in a round.
const http = require("http").createServer();
const { Server } = require("socket.io");

const server = new Server(http, {
  transports: ["websocket"],
  perMessageDeflate: false,
  pingInterval: 3_600_000, // ms
});

server.on("connection", (socket) => {
  socket.on("join", (room) => {
    socket.room = room;
    socket.join(room);
    socket.emit("joined");
  });
  socket.on("say", (said) => server.to(socket.room).emit("said", said));
});
http.listen(Number(process.argv[2]), "127.0.0.1", 1024);
