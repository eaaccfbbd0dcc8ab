// Serves party_worker.js on workerd through miniflare: party_run.js PORT FOLDER, a folder to write to.
const { buildSync } = require("esbuild");
const { Miniflare } = require("miniflare");
const fs = require("fs");
const path = require("path");

const [port, folder] = process.argv.slice(2);
const bundle = path.join(folder, "party_worker.mjs");
buildSync({
  entryPoints: [path.join(__dirname, "party_worker.js")],
  bundle: true,
  format: "esm",
  outfile: bundle,
  external: ["cloudflare:*", "node:*"],
  nodePaths: [process.env.NODE_PATH],
});

new Miniflare({
  host: "127.0.0.1",
  port: Number(port),
  modules: true,
  script: fs.readFileSync(bundle, "utf8"),
  compatibilityDate: "2025-06-01",
  compatibilityFlags: ["nodejs_compat"],
  durableObjects: {
    Chat: { className: "Chat", useSQLite: true },
    Seats: { className: "Seats", useSQLite: true },
  },
});
