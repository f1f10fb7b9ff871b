// What a backup costs the signers: the latency of signing at a fixed rate, without and during a
// backup, on a database of ROWS submissions.
//
//   node tests/bench/backup.mjs      ROWS (200000), RATE (300 signatures a second), SECONDS (8)
//
// Prints one line for each of three rounds; it asserts nothing. Alone on the machine, please.

import path from 'node:path';
import { statSync } from 'node:fs';

import { Service, load, scratch, signer, sleep } from '../http/harness.mjs';

const ROWS = Number(process.env.ROWS ?? 200_000);
const RATE = Number(process.env.RATE ?? 300);
const SECONDS = Number(process.env.SECONDS ?? 8);

/** Signs RATE times a second, as the clock says and not as answers come; latencies in ms, sorted. */
async function offered(service, prefix, isOver) {
    const latencies = [];
    const pending = [];
    const begin = performance.now();
    for (let n = 0; !isOver(performance.now() - begin); n++) {
        const due = begin + n * 1000 / RATE;
        if (due > performance.now())
            await sleep(due - performance.now());
        pending.push(service.json('/api/v1/signatures', signer(`${prefix}-${n}`)).then((answer) => {
            if (answer.status === 202)
                latencies.push(performance.now() - due);
        }));
    }
    await Promise.all(pending);
    return latencies.sort((a, b) => a - b);
}

function describe(what, latencies) {
    const at = (q) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * q))].toFixed(1);
    return `${what}: ${latencies.length} signatures, p50 ${at(0.5)} p99 ${at(0.99)} max ${at(1)} ms`;
}

const service = await Service.create({ settings: { publish_every: 10 } });
await load(service, { width: 64, limit: ROWS }).done;
for (let round = 1; round <= 3; round++) {
    console.log(describe(`round ${round} without`,
        await offered(service, `quiet-${round}`, (ms) => ms > SECONDS * 1000)));
    const file = path.join(scratch(), 'backup');
    let running = true;
    const begin = performance.now();
    const backup = service.succeed(['backup', file]).finally(() => {
        running = false;
    });
    console.log(describe(`round ${round} during `, await offered(service, `busy-${round}`, () => !running)));
    await backup;
    console.log(`    backup of ${(statSync(file).size / 1e6).toFixed(0)} MB in ${((performance.now() - begin) / 1000).toFixed(1)} s`);
}
await service.close();
