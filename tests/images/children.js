// What Node has for children and threads: spawn, exec, fork with messages, a cluster, worker threads.
const { spawn, exec, fork } = require("child_process");
const cluster = require("cluster");
const http = require("http");
const { Worker, isMainThread, parentPort } = require("worker_threads");

if (!isMainThread) {
  parentPort.postMessage("from a worker thread");
} else if (process.argv[2] === "forked") {
  process.on("message", (number) => {
    process.send(number * 2);
    process.disconnect();
  });
} else if (cluster.isWorker) {
  http.createServer((request, response) => response.end(`worker ${cluster.worker.id}\n`)).listen(18081);
} else {
  main();
}

async function main() {
  const lines = [];
  await new Promise((done) => {
    const child = spawn("/bin/sh", ["-c", "cat; exit 3"]);
    let text = "";
    child.stdout.on("data", (data) => (text += data));
    child.on("close", (code) => done(lines.push(`spawn: ${text} ${code}`)));
    child.stdin.end("through a pipe");
  });
  await new Promise((done) => exec("echo $((6 * 7))", (error, out) => done(lines.push(`exec: ${out.trim()}`))));
  await new Promise((done) => {
    const child = fork(__filename, ["forked"]);
    child.on("message", (answer) => lines.push(`fork: ${answer}`));
    child.on("exit", (code) => done(lines.push(`fork ended: ${code}`)));
    child.send(21);
  });
  await new Promise((done) => {
    const worker = new Worker(__filename);
    worker.on("message", (text) => lines.push(text));
    worker.on("exit", done);
  });
  cluster.setupPrimary({ exec: __filename });
  await new Promise((done) => {
    let listening = 0;
    cluster.on("listening", () => ++listening === 2 && done());
    cluster.fork();
    cluster.fork();
  });
  const seen = new Set();
  for (let i = 0; i < 8; i++) {
    await new Promise((done) =>
      http.get({ port: 18081, agent: false }, (response) => {
        response.on("data", (data) => seen.add(String(data).trim()));
        response.on("end", done);
      }),
    );
  }
  lines.push([...seen].sort().join(", "));
  for (const worker of Object.values(cluster.workers)) worker.kill();
  await new Promise((done) => cluster.on("exit", () => Object.keys(cluster.workers).length || done()));
  console.log(lines.join("\n"));
}
