// Do the trials of a study of a server with Node: node client.mjs [URL [STUDY]]
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

const [url = "http://127.0.0.1:8765", study = "ask-and-tell"] = process.argv.slice(2);
const token = process.env.HPSEARCH_TOKEN;

// Post a body, again until there is an answer: the key makes the server do it once.
async function post(path, body) {
  const headers = { "Content-Type": "application/json", "Idempotency-Key": randomUUID() };
  if (token) headers.Authorization = `Bearer ${token}`;
  const options = { method: "POST", headers, body: JSON.stringify(body) };
  const end = Date.now() + 60_000;
  for (let pause = 0.1; ; pause = Math.min(2 * pause, 5)) {
    try {
      const answer = await fetch(url + path, { ...options, signal: AbortSignal.timeout(60_000) });
      if (answer.ok) return JSON.parse((await answer.text()) || "{}");
      const wait = Number(answer.headers.get("Retry-After"));
      const { detail } = await answer.json();
      if (![429, 502, 503, 504].includes(answer.status) || Date.now() > end)
        return { order: "stop", refused: detail };
      if (wait) pause = wait;
    } catch (error) {
      if (Date.now() > end) throw new Error(`no server answers at ${url}`, { cause: error });
    }
    await sleep(1000 * pause * (0.5 + Math.random() / 2));
  }
}

// Step and loss, again and again: here a descent into Rosenbrock's valley.
function* train({ rate, momentum }, steps) {
  let [x, y, dx, dy] = [-1, 1.5, 0, 0];
  for (let step = 1; step <= steps; step++) {
    let [a, b] = [1 - x, y - x * x];
    dx = momentum * dx + rate * (2 * a + 400 * x * b);
    dy = momentum * dy - rate * 200 * b;
    [x, y] = [x + dx, y + dy];
    [a, b] = [1 - x, y - x * x];
    yield [step, a * a + 100 * b * b];
  }
}

// Do a trial; what became of it.
async function trial({ trial, lease, interval, configuration, resource, metric }) {
  const path = `/v1/trials/${trial}`;
  let order = "continue";
  const beat = setInterval(async () => {
    ({ order } = await post(`${path}:heartbeat`, { lease }));
  }, 1000 * interval);
  try {
    let loss = NaN;
    for (const [step, value] of train(configuration, resource)) {
      loss = value;
      if (!Number.isFinite(loss)) {
        await post(`${path}:tell`, { lease, pruned: true });
        return "diverged";
      }
      if (step % 10 === 0)
        ({ order } = await post(`${path}:report`, { lease, step, value }));
      if (order === "stop") return "nobody wants it any more";
    }
    const told = await post(`${path}:tell`, { lease, result: { [metric]: loss } });
    return told.refused ?? `${metric} ${loss}`;
  } catch (error) {
    await post(`${path}:tell`, { lease, error: { sentence: String(error) } });
    return `failed: ${error}`;
  } finally {
    clearInterval(beat);
  }
}

let asked;
while ((asked = await post(`/v1/studies/${study}/trials:ask?wait=20`, {})).order === "continue") {
  if (asked.work) console.log(`trial ${asked.work.number}: ${await trial(asked.work)}`);
  else await sleep(1000 * (asked.retry ?? 1));
}
console.log(asked.refused ?? asked.why);
