// Deno reserves 48 GiB, aligned, for itself, and 10 GiB for each WebAssembly memory.
const memories = Array.from({ length: 20 }, () => new WebAssembly.Memory({ initial: 1, maximum: 65536 }));
memories.forEach((memory, index) => (new Uint8Array(memory.buffer)[65535] = index));
console.log(memories.map((memory) => new Uint8Array(memory.buffer)[65535]).join(" "));

const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    return new Response((await request.text()).toUpperCase());
});
const { port } = server.addr as Deno.NetAddr;
const answer = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", body: "nacre" });
console.log(await answer.text());
await server.shutdown();

const { code, stdout } = await new Deno.Command(Deno.execPath(), { args: ["eval", "console.log(6 * 7)"] }).output();
console.log(code, new TextDecoder().decode(stdout).trim());
