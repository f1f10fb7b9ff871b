// Growth: the rate of submissions into a database of 10,000,000 against that into an empty one, through
// the writer without HTTP. Needs 10 GB of disk.

import {
    fill, makeData, median, memory, number, printTable, report, serve, size, stop,
} from './measure.mjs';
import { freePort } from '../http/harness.mjs';

const ROUNDS = 3;
const ROWS = Number(process.env.ROWS ?? 10_000_000);
const SAMPLE = 200_000;
const MIB = 1024 * 1024;

const big = await makeData('big');
// The process that has filled it goes on, as a server does.
const [filling, ...full] = await fill(big, ROWS, ...Array(ROUNDS).fill(SAMPLE));
report(`filling with ${number(ROWS)}`, {
    ours: `${number(filling.rate)}/s, ${number(filling.cpu_us, 1)} µs`,
});
const empty = [];
for (let round = 0; round < ROUNDS; round++)
    empty.push(...await fill(await makeData(`empty-${round}`), SAMPLE));
const rates = [full, empty].map((results) => median(results.map(({ rate }) => rate)));
const costs = [full, empty].map((results) => median(results.map(({ cpu_us: us }) => us)));
report(`inserts/s at ${number(ROWS)} rows; theirs: into an empty database`, {
    ours: number(rates[0]), theirs: number(rates[1]), ratio: rates[0] / rates[1], budget: '≥ 0.70',
});
report('… processor time for each', {
    ours: `${number(costs[0], 1)} µs`, theirs: `${number(costs[1], 1)} µs`,
});

const began = performance.now();
const server = await serve(big, await freePort());
report(`start with ${number(ROWS)}`, { ours: `${number(performance.now() - began)} ms` });
report('… resident then', { ours: `${number(memory(server.pid, 'VmRSS') / MIB)} MiB` });
await stop(server);
report('disk for each signature', {
    ours: `${number(size(big, 'petition.db') / (ROWS + ROUNDS * SAMPLE))} bytes`,
});
printTable();
