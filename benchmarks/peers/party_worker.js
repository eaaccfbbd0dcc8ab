// partyserver on workerd: rooms that pass on what is said, and rooms that record who has a seat.
import { Server, routePartykitRequest } from "partyserver";

export class Chat extends Server {
  static options = { hibernate: false }; // which is the faster one

  onMessage(connection, said) {
    this.broadcast(said);
  }
}

export class Seats extends Server {
  async onRequest(request) {
    const told = await request.json(); // before the seats are read: requests take turns at awaits
    this.seats = { ...this.seats, ...told };
    return Response.json({ ok: true });
  }
}

export default {
  async fetch(request, env) {
    return (await routePartykitRequest(request, env)) ?? new Response("no", { status: 404 });
  },
};
