// A client of Sonde's, driven from Node: it is dropped, comes back, and has missed nothing.
//
//     node drop.mjs SONDE URL TOKEN      (SONDE: the command, such as .venv/bin/sonde)
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

const [sonde, url, token] = process.argv.slice(2);
const env = { ...process.env, SONDE_TOKEN: token };
const client = spawn(sonde, ["client", "--json", url], { env, stdio: ["pipe", "pipe", "inherit"] });
const seen = [];
const waiting = [];

createInterface({ input: client.stdout }).on("line", (line) => {
  seen.push(JSON.parse(line));
  waiting.splice(0).forEach((wake) => wake());
});

// The next line for which `fits` is true, from `begin` on.
async function next(fits, begin = 0) {
  for (;;) {
    const found = seen.slice(begin).find(fits);
    if (found) return found;
    await new Promise((wake) => waiting.push(wake));
  }
}

let number = 0;
async function ask(command, keys = {}) {
  const id = ++number;
  client.stdin.write(JSON.stringify({ do: command, id, ...keys }) + "\n");
  const answer = await next((line) => line.id === id);
  if (!answer.ok) throw new Error(`${command}: ${answer.error}`);
  return answer;
}

const timer = setTimeout(() => { client.kill(); process.exitCode = 1; }, 60_000);
await next((line) => line.event === "status" && line.state === "live");
await ask("subscribe", { ch: "room:arena" });
await ask("publish", { ch: "room:arena", type: "goal", d: 1 });
const before = seen.length;
await ask("drop");
await ask("publish", { ch: "room:arena", type: "goal", d: 2 });
await next((line) => line.event === "resumed", before);
const goals = () => seen.filter((line) => line.event === "entry" && line.type === "goal").map((line) => line.d);
while (goals().length < 2) await new Promise((wake) => waiting.push(wake));
client.stdin.end();
client.on("exit", (code) => { clearTimeout(timer); console.log(`goals ${goals()}, exit code ${code}`); });
