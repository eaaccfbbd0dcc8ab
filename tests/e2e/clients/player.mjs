// A player's page: partysocket as a front end uses it, driven by a test over stdin and stdout.
//
// In, a line of JSON for each command:
//   {"command": "open", "host", "party", "room", "token"}, {"command": "send", "frame"},
//   {"command": "close"}, {"command": "quit"}; the end of the input is a quit too.
// Out, a line of JSON for each event, "at" milliseconds since the epoch:
//   {"event": "ready", "at"}, {"event": "open", "at"}, {"event": "frame", "at", "data"},
//   {"event": "close", "at", "code"}.

import { webcrypto } from "node:crypto";
import { createInterface } from "node:readline";
import { PartySocket } from "partysocket";
import { WebSocket } from "ws";

globalThis.crypto ??= webcrypto; // partysocket expects it; Node has it as a global from 20 on

const PAGE = "http://localhost:3000"; // where the front end is served while it is developed

class BrowserSocket extends WebSocket {
  constructor(url, protocols) {
    super(url, protocols, { origin: PAGE });
  }
}

let socket;

const commands = {
  open({ host, party, room, token }) {
    socket = new PartySocket({ host, party, room, WebSocket: BrowserSocket });
    socket.addEventListener("open", () => {
      tell("open");
      send({ type: "JOIN_ROOM", payload: { playerToken: token } });
    });
    socket.addEventListener("message", ({ data }) => tell("frame", { data }));
    socket.addEventListener("close", ({ code }) => tell("close", { code }));
  },
  send: ({ frame }) => send(frame),
  close: () => socket.close(),
  quit: () => process.exit(),
};

function send(frame) {
  socket.send(JSON.stringify(frame));
}

function tell(event, details) {
  process.stdout.write(JSON.stringify({ event, at: Date.now(), ...details }) + "\n");
}

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const { command, ...details } = JSON.parse(line);
    commands[command](details);
  })
  .on("close", commands.quit);

tell("ready");
