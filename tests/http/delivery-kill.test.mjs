// A delivery whose server is killed in the middle, or whose disk is full, ends well, and what was
// finished before has the same bytes afterwards.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Service, load, query, run, signer, sleep, until } from './harness.mjs';
import { assertGenuine, bearer, describe, fetchBundles, finished, order, sha256, unpack } from './bundles.mjs';

const SIGNERS = 4000;

let service;
let token;
let key;
before(async () => {
    service = await Service.create();
    token = await service.organiser();
    key = (await service.get('/api/v1/petition')).json.minisign_key;
    const { acknowledged } = await load(service, {
        width: 32, limit: SIGNERS, fields: (n) => signer(n, { visibility: ['public', 'addressees', 'private'][n % 3] }),
    }).done;
    assert.equal(acknowledged.length, SIGNERS);
});
after(() => service?.close());

test('killed in the middle, a delivery is finished after the restart, with the same bytes', async () => {
    let killedEarly = 0; // before the first bundle was finished
    let killedBetween = 0; // after some, before all
    let delay = 40;
    for (let attempt = 0; attempt < 30 && !(killedEarly && killedBetween); attempt++) {
        const id = await order(service, token);
        await sleep(delay);
        await service.kill9();
        const [{ state }] = await query(service.dir, `SELECT state FROM delivery WHERE id = ${id}`);
        const finishedBefore = await query(service.dir,
            `SELECT addressee, LOWER(HEX(sha256)) AS sha256, bytes FROM bundle WHERE delivery = ${id}`);
        await service.start();
        const delivery = await finished(service, token, id);
        const bundles = await fetchBundles(service, token, delivery);
        for (const { addressee, sha256: hash } of finishedBefore)
            assert.equal(delivery.bundles.find((bundle) => bundle.addressee === addressee).sha256, hash);
        if (state === 'done') {
            delay = Math.max(0, delay * 0.6);
            continue;
        }
        if (finishedBefore.length === 0) {
            killedEarly++;
            delay += 15;
        } else {
            killedBetween++;
            delay = Math.max(0, delay - 25);
        }
        await assertGenuine(await unpack(bundles[1].file), key);
        await assertGenuine(await unpack(bundles[18].file), key);
    }
    assert.ok(killedEarly > 0, 'it was killed before the first bundle');
    assert.ok(killedBetween > 0, 'it was killed between two bundles');
});

test('stopped in the middle, the server ends in good order and the delivery goes on afterwards', async () => {
    const id = await order(service, token);
    await sleep(30);
    assert.deepEqual(await service.stop(), { status: 0, signal: null });
    await service.start();
    const bundles = await fetchBundles(service, token, await finished(service, token, id));
    await assertGenuine(await unpack(bundles[9].file), key);
});

test('while it is built, a bundle is whole or not there', async () => {
    const id = await order(service, token);
    const seen = [];
    await until(async () => {
        for (const n of [1, 2, 8, 19]) {
            const answer = await service.get(`/api/v1/deliveries/${id}/bundles/${n}.zip`, bearer(token));
            assert.ok([200, 404, 409].includes(answer.status), `${answer.status}`);
            if (answer.status === 200)
                seen.push([n, sha256(answer.body)]);
        }
        return (await describe(service, token, id)).state === 'done';
    }, 'the delivery is done', 60_000, 1);
    const { bundles } = await describe(service, token, id);
    for (const [n, hash] of seen)
        assert.equal(bundles.find((bundle) => bundle.addressee === n).sha256, hash);
});

test('a full disk while building: the server lives, nothing half is served, and the next one succeeds', async () => {
    await service.stop();
    await service.start({ wrap: ['prlimit', '--fsize=150000:unlimited'] });
    const id = await order(service, token);
    const failed = await until(async () => {
        const delivery = await describe(service, token, id);
        return delivery.state === 'failed' && delivery;
    }, 'the delivery has failed', 60_000);
    assert.equal(failed.state, 'failed');
    for (let n = 1; n <= 19; n++) {
        const answer = await service.get(`/api/v1/deliveries/${id}/bundles/${n}.zip`, bearer(token));
        assert.ok([404, 409].includes(answer.status), `${answer.status}`);
    }
    assert.equal((await service.get('/en')).status, 200);
    const room = await run('prlimit', ['--pid', String(service.pid), '--fsize=unlimited']);
    assert.equal(room.status, 0, room.stderr);
    const next = await finished(service, token, await order(service, token));
    await assertGenuine(await unpack((await fetchBundles(service, token, next))[4].file), key);
});
