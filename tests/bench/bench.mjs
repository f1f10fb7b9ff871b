// Every budget of the design, measured in one run: ours and theirs take turns, so that what else the
// machine does falls on both. Prints a table; judges nothing. tests/bench/README.md says how to read it.

import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { freePort } from '../http/harness.mjs';
import {
    answers, bin, built, cpu, debian, fill, fillWith, folder, makeData, median, memory, number, output, printTable,
    report, serve, size, sleep, start, stop, wrk, wrkSign,
} from './measure.mjs';

const ROUNDS = 3;
const LOAD_S = 4;
const MILLION = 1_000_000;
const LOG_SAMPLE = 300_000;
const MIB = 1024 * 1024;

/** Runs the measurements in turn, ROUNDS times; for each the list of its results. */
async function takeTurns(...measurements) {
    const results = measurements.map(() => []);
    for (let round = 0; round < ROUNDS; round++)
        for (const [i, measure] of measurements.entries())
            results[i].push(await measure());
    return results;
}

const rates = (results) => median(results.map(({ rate }) => rate));

// ---- signatures a second

async function benchSignatures() {
    const [port, onePort, ceilingPort] = [await freePort(), await freePort(), await freePort()];
    const ours = await serve(await makeData('ours'), port);
    const one = await serve(await makeData('one'), onePort, built('one/petition'));
    const ceiling = start(built('ceiling'), [String(ceilingPort)]);
    let spent = 0;
    await sleep(500);

    const [ourResults, oneResults, ceilingResults] = await takeTurns(
        async () => {
            const before = cpu(ours.pid);
            const result = await wrkSign(port, LOAD_S);
            spent += cpu(ours.pid) - before;
            return result;
        },
        () => wrkSign(onePort, LOAD_S),
        () => wrkSign(ceilingPort, LOAD_S));
    for (const child of [ours, one, ceiling])
        await stop(child);

    const rate = rates(ourResults);
    const signed = ourResults.reduce((sum, { count }) => sum + count, 0);
    report('signatures/s, 64 clients; theirs: libmicrohttpd alone', {
        ours: number(rate), theirs: number(rates(ceilingResults)),
        ratio: rate / rates(ceilingResults), budget: '≥ 0.20, stretch 0.25',
    });
    report('… theirs: one transaction for each request', {
        ours: number(rate), theirs: number(rates(oneResults)),
        ratio: rate / rates(oneResults), budget: '≥ 8',
    });
    report('… processor time for each', { ours: `${number(1e6 * spent / signed, 1)} µs` });
}

const SLOW_US = 500;

/** The same pair, as if the disk took longer. */
async function benchSlowDisk() {
    const settings = [`LD_PRELOAD=${built('slow_sync.so')}`, `SLOW_SYNC_US=${SLOW_US}`];
    const [port, onePort] = [await freePort(), await freePort()];
    const ours = await serve(await makeData('slow'), port, bin, settings);
    const one = await serve(await makeData('slow-one'), onePort, built('one/petition'), settings);
    const [ourResults, oneResults] = await takeTurns(
        () => wrkSign(port, LOAD_S),
        () => wrkSign(onePort, LOAD_S));
    await stop(ours);
    await stop(one);
    report(`… both as if a sync took ${SLOW_US / 1000} ms longer`, {
        ours: number(rates(ourResults)), theirs: number(rates(oneResults)),
        ratio: rates(ourResults) / rates(oneResults), budget: '≥ 8',
    });
}

// ---- pages

const CODINGS = [
    { name: 'identity', header: [], budget: '≥ 0.7', suffix: '' },
    { name: 'gzip', header: ['-H', 'Accept-Encoding: gzip'], budget: '≥ 0.9', suffix: '.gz' },
    { name: 'brotli', header: ['-H', 'Accept-Encoding: br'], budget: '≥ 0.9', suffix: '.br' },
];

/** Of the log: 8 KiB of hashes, and 256 entries. */
const TILES = [['tile', '0/000'], ['bundle', 'entries/000']];

/** The body as sent: fetch() would unpack it. */
const body = (port, coding) => output('curl', ['-sS', ...coding.header, '-o',
    path.join(folder, 'www', `en${coding.suffix}`), `http://127.0.0.1:${port}/en`]);

function nginxConfig(port) {
    return `${process.getuid() === 0 ? 'user root;' : ''}
        load_module ${debian('usr/lib/nginx/modules/ngx_http_brotli_static_module.so')};
        daemon off; worker_processes auto; pid ${folder}/nginx.pid; error_log stderr;
        events { worker_connections 1024; }
        http {
            access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;
            open_file_cache max=100; default_type "text/html; charset=utf-8";
            gzip_static on; brotli_static on;
            server { listen 127.0.0.1:${port}; root ${folder}/www; add_header Cache-Control no-cache; }
        }`;
}

async function benchPages() {
    const [port, nginxPort] = [await freePort(), await freePort()];
    const data = await makeData('pages');
    await fill(data, 1000); // so that there are full tiles
    const ours = await serve(data, port);
    const config = path.join(folder, 'nginx.conf');

    mkdirSync(path.join(folder, 'www'));
    writeFileSync(config, nginxConfig(nginxPort));
    for (const coding of CODINGS)
        await body(port, coding);
    for (const [name, target] of TILES)
        await output('curl', ['-sSf', '-o', path.join(folder, 'www', name), `http://127.0.0.1:${port}/tile/${target}`]);
    const nginx = start(debian('usr/sbin/nginx'), ['-c', config]);
    await answers(nginx, `http://127.0.0.1:${nginxPort}/en`);

    for (const { name, header, budget } of CODINGS) {
        const load = (to) => () => wrk(`http://127.0.0.1:${to}/en`, LOAD_S, header);
        const [ourRate, nginxRate] = (await takeTurns(load(port), load(nginxPort))).map(rates);
        report(`page GET/s, ${name}; theirs: nginx`, {
            ours: number(ourRate), theirs: number(nginxRate), ratio: ourRate / nginxRate, budget,
        });
    }
    for (const [name, target] of TILES) {
        const [ourRate, nginxRate] = (await takeTurns(
            () => wrk(`http://127.0.0.1:${port}/tile/${target}`, LOAD_S, []),
            () => wrk(`http://127.0.0.1:${nginxPort}/${name}`, LOAD_S, []))).map(rates);
        report(`${name} GET/s; theirs: nginx`, {
            ours: number(ourRate), theirs: number(nginxRate), ratio: ourRate / nginxRate, budget: '≥ 0.7',
        });
    }
    await stop(nginx, 'SIGQUIT');
    await stop(ours);
    reportFirstVisit();
}

function reportFirstVisit() {
    report('first visit: HTML with its style, brotli', {
        ours: `${number(size(folder, 'www', 'en.br'))} bytes`, budget: '≤ 14 KB, one request',
    });
}

// ---- latency

async function benchLatency() {
    const port = await freePort();
    const server = await serve(await makeData('latency'), port);
    let round = 0;

    const [latencies, syncs] = await takeTurns(
        async () => {
            const said = await output(built('paced'), [String(port), '1000', '6', String(++round)]);
            return said.split(' ').map(Number);
        },
        async () => {
            const said = await output(built('disk'), [path.join(folder, 'disk'), '150']);
            return said.split(' ').map(Number);
        });
    await stop(server);

    const [middle, p99] = [1, 2].map((i) => median(latencies.map((said) => said[i])));
    const [sync, syncP99] = [0, 1].map((i) => median(syncs.map((said) => said[i])));
    report('sign p99 at 1,000/s; theirs: median fdatasync', {
        ours: `${number(p99 / 1000, 2)} ms`, theirs: `${number(sync / 1000, 2)} ms`,
        ratio: p99 / sync, budget: '≤ 10',
    });
    report('… median; theirs: p99 fdatasync', {
        ours: `${number(middle / 1000, 2)} ms`, theirs: `${number(syncP99 / 1000, 2)} ms`,
    });
}

// ---- the log

async function benchLog() {
    const filled = async (program) => (await fillWith(program, await makeData(`log-${++logs}`), LOG_SAMPLE))[0];
    let logs = 0;
    const [whole, bare] = await takeTurns(() => filled('fill'), () => filled('fill_unhashed'));

    report('… theirs: without the log\'s tree', {
        ours: number(rates(whole)), theirs: number(rates(bare)), ratio: rates(whole) / rates(bare), budget: '≥ 0.85',
    });
}

// ---- a million

async function benchMillion() {
    const data = await makeData('million');
    const port = await freePort();
    const starts = [];
    let server;

    const [filled] = await fill(data, MILLION);
    report('signatures/s through the writer, without HTTP', {
        ours: `${number(filled.rate)}, ${number(filled.cpu_us, 1)} µs`,
    });
    await benchLog();
    await reportTree(data);
    for (let round = 0; round < ROUNDS; round++) {
        const began = performance.now();
        server = await serve(data, port);
        starts.push(performance.now() - began);
        if (round < ROUNDS - 1)
            await stop(server);
    }
    report('start with 1,000,000 signatures', {
        ours: `${number(median(starts))} ms`, budget: '≤ 1,000 ms',
    });
    await reportMemoryAndDisk(server, data, port);
    await stop(server);
    await benchDelivery(data);
}

async function reportTree(data) {
    const [results] = await takeTurns(async () => (await output(built('tree'), [data, '1000'])).split(' ').map(Number));
    const [seconds, middle, p99] = [1, 2, 3].map((i) => median(results.map((said) => said[i])));

    report('tiles and root of 1,000,000 entries, hashed anew', {
        ours: `${number(seconds, 2)} s`, budget: '≤ 2 s',
    });
    report('an inclusion proof from checked tiles: median, p99', {
        ours: `${number(middle / 1000, 2)}, ${number(p99 / 1000, 2)} ms`, budget: '≤ 1 ms',
    });
}

async function reportMemoryAndDisk(server, data, port) {
    const atStart = memory(server.pid, 'VmRSS');
    const { count } = await wrkSign(port, 10);
    const bytes = size(data, 'petition.db') + size(data, 'petition.db-wal');

    report('resident with 1,000,000: at start, after 10 s of load', {
        ours: `${number(atStart / MIB)}, ${number(memory(server.pid, 'VmRSS') / MIB)} MiB`,
        budget: '≤ 64 MiB',
    });
    report('disk for each signature: database, with WAL', {
        ours: `${number(size(data, 'petition.db') / (MILLION + count))}, ${
            number(bytes / (MILLION + count))} bytes`,
        budget: '≤ 900 bytes',
    });
}

async function deliver(data, out) {
    const began = performance.now();
    const child = start(bin, ['deliver', '--data', data, '--out', out]);
    let ended = false, most = 0;

    child.ended.then(() => {
        ended = true;
    });
    while (!ended) {
        most = Math.max(most, memory(child.pid, 'VmHWM'));
        await sleep(10);
    }
    if (child.exitCode !== 0)
        throw new Error(`petition deliver: ${child.errors}`);
    return { seconds: (performance.now() - began) / 1000, most };
}

async function benchDelivery(data) {
    let round = 0;
    const [results] = await takeTurns(() => deliver(data, path.join(folder, `out-${++round}`)));

    report('19 bundles for 1,000,000 signatures', {
        ours: `${number(median(results.map(({ seconds }) => seconds)), 1)} s, ${
            number(median(results.map(({ most }) => most)) / MIB)} MiB`,
        budget: '≤ 15 s, ≤ 96 MiB',
    });
}

for (const bench of [benchSignatures, benchSlowDisk, benchPages, benchLatency, benchMillion])
    await bench();
printTable();
