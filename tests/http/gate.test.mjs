// In front of the passwords: how many one client may have looked at, how long it waits after a wrong
// one, and that neither keeps anybody else out. The client is named by X-Forwarded-For here.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Desk, PASSWORD, formToken } from './desk.mjs';
import { Service, parallel, until } from './harness.mjs';

const HOME = '198.51.100.4';
const as = (address, more = {}) => ({ 'x-forwarded-for': address, ...more });
const attempt = (name, password, address, more) => new Desk(service).tryLogin(name, password, '', as(address, more));

let service;
before(async () => {
    service = await Service.create({ settings: { trusted_proxies: '127.0.0.1' } });
    await service.organiser('admin', PASSWORD);
});
after(() => service?.close());

test('a flood of names from one address takes two places; whoever comes from another one is let in', async () => {
    let over = false;
    const answers = [];
    const flood = parallel(12, 12, async (worker) => {
        const desk = new Desk(service);
        for (let n = 0; !over; n++) {
            const form = formToken(await desk.get('/admin/login'));
            answers.push(await desk.send('/admin/login', { form, name: `random-${worker}-${n}`, password: 'wrong wrong wrong', code: '' },
                as('203.0.113.9', { 'accept-language': 'fr' })));
        }
    });
    await until(() => answers.length > 20, 'the flood is on');
    const began = Date.now();
    for (let i = 0; i < 8; i++)
        assert.equal((await attempt('admin', PASSWORD, HOME)).status, 303, `log-in ${i}`);
    const each_ms = (Date.now() - began) / 8;
    over = true;
    await flood;
    const refused = answers.filter(({ status }) => status === 503);
    assert.ok(refused.length > 20, `${refused.length} of ${answers.length}`);
    assert.ok(answers.every(({ status }) => status === 503 || status === 422));
    for (const answer of refused) {
        assert.equal(answer.headers['retry-after'], '5');
        assert.match(answer.text, /<html lang="fr">/);
        assert.match(answer.text, /role="alert">\s*<p>Trop de personnes/);
    }
    assert.ok(each_ms < 5000, `${each_ms} ms for a log-in`);
    assert.doesNotMatch(service.stderr, /203\.0\.113\.9|random-/);
});

test('a flood of names from many addresses takes all places; whoever has not failed takes one of them', async () => {
    let over = false;
    let refused = 0;
    let looked = 0;
    const flood = parallel(16, 16, async (worker) => {
        const desk = new Desk(service);
        for (let n = 0; !over; n++) {
            const form = formToken(await desk.get('/admin/login'));
            const { status } = await desk.send('/admin/login', { form, name: `many-${worker}-${n}`, password: 'wrong wrong wrong', code: '' },
                as(`203.0.113.${100 + worker % 8}`));
            refused += status === 503;
            looked += status === 422;
        }
    });
    try {
        await until(() => looked > 24 && refused > 24, 'every address has failed, and the queue is full', 60000);
        for (let i = 0; i < 8; i++)
            assert.equal((await attempt('admin', PASSWORD, '198.51.100.77')).status, 303, `log-in ${i}`);
    } finally {
        over = true;
        await flood;
    }
});

test('the limit holds for whatever asks for a password: exports, too', async () => {
    const own = await Desk.login(service);
    const exports = await parallel(12, 12, () => own.post('/admin/exports/counts.csv', { password: PASSWORD }));
    const statuses = exports.map(({ status }) => status);
    assert.ok(statuses.includes(200) && statuses.includes(503), statuses.join(' '));
    assert.ok(exports.every(({ status, headers }) => status === 200 || headers['retry-after'] === '5'));
});

test('who guesses at a name from elsewhere keeps its owner out for no moment', async () => {
    for (let i = 0; i < 7; i++)
        assert.equal((await attempt('admin', 'wrong wrong wrong', `203.0.113.${20 + i}`)).status, 422);
    for (let i = 4; i < 7; i++)
        assert.equal((await attempt('admin', PASSWORD, `203.0.113.${20 + i}`)).status, 429, 'not even the right one is looked at');
    // A mistake of their own then costs half a minute at most, and from elsewhere nothing.
    assert.equal((await attempt('admin', 'wrong wrong wrong', HOME)).status, 422);
    const waiting = await attempt('admin', PASSWORD, HOME);
    assert.equal(waiting.status, 429);
    assert.equal(waiting.headers['retry-after'], '5');
    const seconds = Number(/try again in (\d+) s/.exec(waiting.text)[1]);
    assert.ok(seconds > 20 && seconds <= 31, `${seconds} s`);
    assert.equal((await attempt('admin', PASSWORD, '198.51.100.5')).status, 303);
    // What they have failed from here is remembered, though they came in from there.
    assert.equal((await attempt('admin', PASSWORD, HOME)).status, 429);
    await service.succeed(['organiser', 'passwd', 'admin'], { stdin: `${PASSWORD}\n` });
    assert.equal((await attempt('admin', PASSWORD, HOME)).status, 303, 'the operator ends the waiting');
    assert.equal((await attempt('admin', PASSWORD, '203.0.113.20')).status, 303);
});

test('of IPv6 a subscriber\'s whole network is one client', async () => {
    assert.equal((await attempt('six', 'wrong wrong wrong', '2001:db8:1:2::1')).status, 422);
    assert.equal((await attempt('six', 'wrong wrong wrong', '2001:db8:1:2:3:4:5:6')).status, 429);
    assert.equal((await attempt('six', 'wrong wrong wrong', '2001:db8:1:3::1')).status, 422);
});
