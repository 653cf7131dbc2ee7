// A worker in TypeScript: takes commands of the target `printer` from an orchestrator, prints each, and says what became
// of it.
//
// ORCHESTRATOR_URL says where the server is. SIGTERM ends it after what it has begun. A printer that must not print
// twice remembers ids: a command may come again, always with the same one.

import { Door, Problem, pause, sleep } from "./door.js";

declare const process: { env: Record<string, string | undefined>; on(signal: string, what: () => void): void };

const TARGET = "printer";
const AT_ONCE = 10;
const WAIT = "20s";
const LEASE = 10_000; // milliseconds

/** What a rule decided. There is more in it: see the page about targets. */
interface Command {
  id: string;
  command: string;
  key: string;
  args: { text: string; pages: number };
}

/** A command that is ours for a while. The token says so to the server. */
interface Leased {
  id: string;
  token: string;
  attempt: number;
  command: Command;
}

/** What will never succeed: it is not tried again. */
class FinalError extends Error {}

/** The work: printing. A page takes 100 ms. */
async function run(command: Command, lost: AbortSignal): Promise<object> {
  const { text, pages } = command.args;
  if (!(pages >= 1)) throw new FinalError(`${pages} pages cannot be printed`);
  await sleep(pages * 100, lost);
  if (lost.aborted) throw new Error("the lease was lost");
  console.log(`${command.id} ${text}`);
  return { pages };
}

/** One command under its lease, which is kept for as long as the work takes; and what became of it. */
async function work(door: Door, leased: Leased): Promise<void> {
  const over = new AbortController(); // the work ended, or the lease was lost
  const kept = keep(door, leased, over);
  let path = "ack";
  let said: object = {};
  try {
    said = { result: await run(leased.command, over.signal) };
  } catch (error) {
    path = "fail";
    said = { reason: String(error), final: error instanceof FinalError };
  }
  over.abort();
  await kept;
  try {
    await door.insist(`${leased.id}/${path}`, { token: leased.token, worker: "typescript", ...said }, LEASE);
  } catch (error) {
    console.error(`${leased.id}: ${error}`); // it comes again when its lease runs out, or did already
  }
}

/** Prolongs the lease before half of it is over. */
async function keep(door: Door, leased: Leased, over: AbortController): Promise<void> {
  for (;;) {
    await sleep(LEASE / 3, over.signal);
    if (over.signal.aborted) return;
    try {
      await door.post(`${leased.id}/extend`, { token: leased.token, lease: `${LEASE}ms` });
    } catch (error) {
      if (error instanceof Problem && error.status === 409) over.abort();
    }
  }
}

async function main(): Promise<void> {
  const door = new Door((process.env.ORCHESTRATOR_URL ?? "http://127.0.0.1:8000").replace(/\/+$/, ""));
  const stopping = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => stopping.abort());
  const busy = new Set<Promise<void>>();
  while (!stopping.signal.aborted) {
    if (busy.size >= AT_ONCE) {
      await Promise.race(busy);
      continue;
    }
    const limit = AT_ONCE - busy.size;
    const asked = { target: TARGET, limit, lease: `${LEASE}ms`, wait: WAIT, worker: "typescript" };
    let taken: Leased[] = [];
    try {
      ({ commands: taken } = (await door.post("lease", asked, stopping.signal)) as { commands: Leased[] });
    } catch (error) {
      if (!stopping.signal.aborted) console.error(`no work: ${error}`);
    }
    for (const leased of taken) {
      const task: Promise<void> = work(door, leased).finally(() => busy.delete(task));
      busy.add(task);
    }
    if (taken.length === 0) await sleep(pause(2), stopping.signal); // a server that is away or stops answers at once
  }
  await Promise.all(busy);
}

await main();
