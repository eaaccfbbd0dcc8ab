// A client of the npm package `ws` that does what a test says, over stdin and stdout.
//
// In, a line of JSON for each command:
//   {"command": "open", "url", "compresses"}, {"command": "send", "text", "pieces"},
//   {"command": "ping", "data"},
//   {"command": "close", "code", "reason"}, {"command": "terminate"}.
// Out, a line of JSON for each event:
//   {"event": "ready"}, {"event": "open", "extensions"}, {"event": "message", "text"},
//   {"event": "pong", "data"}, {"event": "close", "code", "reason"}, {"event": "error", "message"}.

import { createInterface } from "node:readline";
import { WebSocket } from "ws";

let socket;

const commands = {
  open({ url, compresses }) {
    socket = new WebSocket(url, { perMessageDeflate: compresses });
    socket.on("open", () => tell("open", { extensions: socket.extensions }));
    socket.on("message", (data, isBinary) => tell("message", { text: data.toString(), isBinary }));
    socket.on("pong", (data) => tell("pong", { data: data.toString() }));
    socket.on("close", (code, reason) => tell("close", { code, reason: reason.toString() }));
    socket.on("error", ({ message }) => tell("error", { message }));
  },
  send({ text, pieces }) {
    const data = Buffer.from(text);
    const size = Math.ceil(data.length / pieces);
    for (let piece = 0; piece < pieces; piece++) {
      const fin = piece === pieces - 1;
      socket.send(data.subarray(piece * size, (piece + 1) * size), { binary: false, fin });
    }
  },
  ping: ({ data }) => socket.ping(data),
  close: ({ code, reason }) => socket.close(code, reason),
  terminate: () => socket.terminate(),
};

function tell(event, details) {
  process.stdout.write(JSON.stringify({ event, ...details }) + "\n");
}

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const { command, ...details } = JSON.parse(line);
    commands[command](details);
  })
  .on("close", () => process.exit());

tell("ready");
