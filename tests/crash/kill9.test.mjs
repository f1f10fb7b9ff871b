// kill -9 in the middle of load, 20 times on one folder: what was acknowledged is there afterwards,
// what was withdrawn stays withdrawn, and every figure equals a recount.
//
// A killed process loses nothing that it had written, synced or not; what this proves is that no
// answer leaves before the commit, and that no crash leaves counters and rows apart.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Service, exported, load, query, signer, sleep } from '../http/harness.mjs';

const ROUNDS = 20;

/** What is missing or too much, as sentences; empty when all is well. */
function differences({ acknowledged, withdrawn, unknown, rows }) {
    const stored = new Set(rows.map((row) => row.index));
    const found = [];
    for (const { index } of acknowledged)
        if (!stored.has(index) && !withdrawn.has(index) && !unknown.has(index))
            found.push(`${index} was acknowledged and is lost`);
    for (const index of withdrawn)
        if (stored.has(index))
            found.push(`${index} was withdrawn and is back`);
    return found;
}

const RECOUNT = `SELECT
    (SELECT COUNT(tag) FROM submission) AS live, (SELECT live FROM totals) AS totals_live,
    (SELECT COALESCE(SUM(n), 0) FROM tally) AS tally_live,
    (SELECT COUNT(DISTINCT tag) FROM submission) AS signatures, (SELECT signatures FROM totals) AS totals_signatures,
    (SELECT COUNT(*) FROM signer) AS signer_rows, (SELECT COALESCE(SUM(live), 0) FROM signer) AS signer_live,
    (SELECT COUNT(*) FROM submission WHERE tag IS NULL) AS erased, (SELECT withdrawn FROM totals) AS totals_withdrawn,
    (SELECT COUNT(*) FROM log_entry) AS entries, (SELECT MAX(idx) + 1 FROM log_entry) AS size,
    (SELECT COUNT(*) FROM log_entry WHERE CAST(body AS TEXT) LIKE '{"v":1,"t":"sign"%') AS sign_entries,
    (SELECT COUNT(*) FROM submission) AS submissions`;

function assertRecount(n) {
    assert.equal(n.totals_live, n.live);
    assert.equal(n.tally_live, n.live);
    assert.equal(n.signer_live, n.live);
    assert.equal(n.totals_signatures, n.signatures);
    assert.equal(n.signer_rows, n.signatures);
    assert.equal(n.totals_withdrawn, n.erased);
    assert.equal(n.entries, n.size, 'the log has no gap');
    assert.equal(n.sign_entries, n.submissions);
}

test('20 times kill -9 under load: nothing acknowledged is lost, every figure equals a recount', async () => {
    const service = await Service.create();
    const acknowledged = [];
    const withdrawn = new Set();
    const unknown = new Set(); // asked to be withdrawn, and no answer came
    try {
        for (let round = 0; round < ROUNDS; round++) {
            // Every second contact has signed before, so that repeats are counted too.
            const running = load(service, {
                width: 12,
                fields: (n) => signer(n % 2 ? n : `${round}-${n}`, { visibility: ['private', 'public'][n % 2] }),
            });
            const withdrawing = (async () => {
                for (let i = 0; i < 50; i++) {
                    await sleep(10);
                    const receipt = running.acknowledged[i * 3];
                    if (!receipt)
                        continue;
                    unknown.add(receipt.index);
                    const answer = await service.withdraw(receipt.withdraw).catch(() => null);
                    if (!answer)
                        return;
                    assert.equal(answer.status, 200);
                    unknown.delete(receipt.index);
                    withdrawn.add(receipt.index);
                }
            })();
            await sleep(150 + Math.random() * 350);
            assert.deepEqual(await service.kill9(), { status: null, signal: 'SIGKILL' });
            running.stop();
            acknowledged.push(...(await running.done).acknowledged);
            await withdrawing;
            await service.start();
        }
        assert.ok(acknowledged.length > ROUNDS * 20 && withdrawn.size > ROUNDS, 'there was load');

        const [figures] = await query(service.dir, RECOUNT);
        assertRecount(figures);
        const shown = await service.count();
        assert.equal(shown.count, figures.signatures);
        assert.equal(shown.log_size, figures.size);

        await service.kill9();
        const rows = await exported(service.dir);
        assert.equal(rows.length, figures.live);
        assert.equal(new Set(acknowledged.map((receipt) => receipt.index)).size, acknowledged.length,
            'no index was given twice');
        assert.deepEqual(differences({ acknowledged, withdrawn, unknown, rows }), []);
        const [check] = await query(service.dir, 'PRAGMA integrity_check');
        assert.equal(check.integrity_check, 'ok');

        // The control: the same checks notice a lost row and a counter that is off by one.
        const lost = acknowledged.find(({ index }) => !withdrawn.has(index) && !unknown.has(index)).index;
        assert.deepEqual(differences({ acknowledged, withdrawn, unknown, rows: rows.filter((row) => row.index !== lost) }),
            [`${lost} was acknowledged and is lost`]);
        const [broken] = await query(service.dir, `DELETE FROM submission WHERE idx = ${lost}; ${RECOUNT}`);
        assert.throws(() => assertRecount(broken));
        await service.start();
    } finally {
        await service.close();
    }
});
