// Ends and limits: SIGTERM under load, a full queue, a full disk. A 2xx is stored, whatever comes.

import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { test } from 'node:test';

import { Service, exported, load, parallel, petition, query, run, scratch, signer, sleep, until } from './harness.mjs';

function assertAllStored(acknowledged, rows, what) {
    const stored = new Set(rows.map((row) => row.index));
    const lost = acknowledged.filter((receipt) => !stored.has(receipt.index));
    assert.deepEqual(lost, [], `${what}: ${lost.length} of ${acknowledged.length} acknowledged are lost`);
}

/** What the two probes answer. */
async function probes(service) {
    const [healthz, readyz] = await Promise.all(['/healthz', '/readyz'].map((target) => service.get(target)));
    return { healthz: healthz.status, readyz: readyz.status };
}

/** No file of the running service may grow beyond `limit`. */
async function limitFiles(service, limit) {
    const result = await run('prlimit', ['--pid', String(service.pid), `--fsize=${limit}:unlimited`]);
    assert.equal(result.status, 0, result.stderr);
}

test('SIGTERM during load: every 2xx is stored, exit 0', async () => {
    const service = await Service.create();
    for (let round = 0; round < 3; round++) {
        const running = load(service, { width: 16, fields: (n) => signer(`${round}-${n}`) });
        await sleep(500);
        const end = await service.stop();
        running.stop();
        assert.deepEqual(end, { status: 0, signal: null }, service.stderr);
        const { acknowledged, statuses } = await running.done;
        assert.ok(acknowledged.length > 50, `there was load: ${acknowledged.length}`);
        for (const status of statuses)
            assert.ok([202, 503].includes(status), `${status}`);
        assertAllStored(acknowledged, await exported(service.dir), `round ${round}`);
        await service.start();
    }
    await service.close();
});

test('SIGTERM does not wait for idle connections, and not long for half a request', async () => {
    const service = await Service.create();
    await parallel(20, 20, () => service.get('/healthz')); // kept alive, now idle
    const idle = Date.now();
    assert.deepEqual(await service.stop(), { status: 0, signal: null });
    assert.ok(Date.now() - idle < 3000);

    await service.start();
    const hanging = service.raw('POST /api/v1/signatures HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'
        + 'Content-Length: 50\r\n\r\n{', 30_000);
    await sleep(200);
    const half = Date.now();
    assert.deepEqual(await service.stop(), { status: 0, signal: null });
    assert.ok(Date.now() - half < 12_000);
    await hanging;
});

test('a full queue answers 503 with Retry-After and a form that keeps its seed; it is not ready, but alive', async () => {
    const service = await Service.create({ settings: { queue_limit: 1 } });
    try {
        const acknowledged = [];
        let busyForm;
        let busyApi;
        let unready;
        for (let round = 0; round < 40 && !(busyForm && busyApi && unready); round++) {
            const [answers, alive, ready] = await Promise.all([
                parallel(64, 64, (i) => i % 2
                    ? service.json('/api/v1/signatures', signer(`${round}-${i}`))
                    : service.form('/km/sign', signer(`${round}-${i}`, { visibility: 'private' }))),
                parallel(8, 8, () => service.get('/healthz')),
                parallel(8, 8, () => service.get('/readyz')),
            ]);
            assert.ok(alive.every(({ status }) => status === 200));
            assert.ok(ready.every(({ status }) => [200, 503].includes(status)));
            unready ??= ready.find(({ status }) => status === 503);
            for (const answer of answers) {
                assert.ok([202, 303, 503].includes(answer.status), `${answer.status}`);
                if (answer.status === 202)
                    acknowledged.push(answer.json.receipt);
                if (answer.status === 503) {
                    assert.match(answer.headers['retry-after'] ?? '', /^\d+$/);
                    if (answer.type === 'text/html')
                        busyForm = answer;
                    else
                        busyApi = answer;
                }
            }
        }
        assert.ok(busyForm && busyApi && unready, 'the queue was full once');
        assert.equal((await service.get('/readyz')).status, 200, 'ready again');
        assert.equal(busyApi.type, 'application/problem+json');
        assert.match(busyForm.text, /<html[^>]* lang="km"/);
        assert.match(busyForm.text, /<input[^>]*name="seed"[^>]*value="[A-Za-z0-9+/]{22}=="/);
        assert.match(busyForm.text, /value="Signer \d+-\d+"/, 'the form is filled in');
        await service.stop();
        assertAllStored(acknowledged, await exported(service.dir), 'full queue');
    } finally {
        await service.close();
    }
});

test('a full disk while committing: 5xx, not ready, nothing by halves, and it goes on when there is room', async () => {
    const service = await Service.create();
    await service.sign(signer('first'));
    await service.stop();
    // No file may grow beyond what the database has now and a little: the WAL meets it first.
    const limit = statSync(service.file('petition.db')).size + 200_000;
    await service.start({ wrap: ['prlimit', `--fsize=${limit}:unlimited`] });
    try {
        const acknowledged = [];
        let refused = 0;
        for (let n = 0; n < 4000 && refused < 5; n += 50) {
            const answers = await parallel(50, 8, (i) => service.json('/api/v1/signatures', signer(`full-${n + i}`)));
            for (const answer of answers) {
                if (answer.status === 202)
                    acknowledged.push(answer.json.receipt);
                else
                    refused += answer.status >= 500 ? 1 : assert.fail(`status ${answer.status}`);
            }
        }
        assert.ok(refused >= 5, 'the disk was full');
        assert.equal((await service.get('/en')).status, 200, 'reading goes on');
        // What a batch has no room for may still hold a few probes, of one page each.
        await until(async () => (await probes(service)).readyz === 503, '/readyz says that the disk is full', 5000, 0);
        assert.deepEqual(await probes(service), { healthz: 200, readyz: 503 });
        assert.equal((await petition(['healthcheck', '--data', scratch()], { settings: { listen: service.origin.slice(7) } })).status, 1);
        await limitFiles(service, 'unlimited');
        assert.deepEqual(await probes(service), { healthz: 200, readyz: 200 });
        acknowledged.push(await service.sign(signer('room')));
        await service.stop();
        const rows = await exported(service.dir);
        assertAllStored(acknowledged, rows, 'full disk');
        const [figures] = await query(service.dir, `SELECT (SELECT live FROM totals) AS live,
            (SELECT COUNT(tag) FROM submission) AS rows, (SELECT SUM(n) FROM tally) AS tally,
            (SELECT COUNT(*) FROM log_entry) AS entries, (SELECT MAX(idx) + 1 FROM log_entry) AS size`);
        assert.equal(figures.live, figures.rows);
        assert.equal(figures.tally, figures.rows);
        assert.equal(figures.entries, figures.size, 'no gap in the log');
        assert.equal(figures.rows, rows.length);
        const [check] = await query(service.dir, 'PRAGMA integrity_check');
        assert.equal(check.integrity_check, 'ok');
    } finally {
        await service.close();
    }
});
