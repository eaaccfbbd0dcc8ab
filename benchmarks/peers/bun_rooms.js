// Rooms on Bun's own WebSockets (uWebSockets): a topic for each path.
Bun.serve({
  port: Number(process.argv[2]),
  hostname: "127.0.0.1",
  fetch(request, server) {
    const data = { room: new URL(request.url).pathname };
    return server.upgrade(request, { data }) ? undefined : new Response("no", { status: 400 });
  },
  websocket: {
    perMessageDeflate: false,
    backpressureLimit: 1 << 26, // bytes; above it Bun drops messages, and a round may drop none
    publishToSelf: true,
    open: (socket) => socket.subscribe(socket.data.room),
    message: (socket, said) => void socket.publish(socket.data.room, said),
  },
});
