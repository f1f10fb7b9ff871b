// GET /metrics: its form, by a strict reader of the text format 0.0.4; where it is served; and that
// nobody can learn anything of a signer from it.

import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import path from 'node:path';
import { after, test } from 'node:test';

import { Service, freePort, parallel, petition, scratch, signer, succeed, until } from './harness.mjs';

// ---- a strict reader

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const LABEL = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\[\\\\"n])*"';
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(${LABEL}(?:,${LABEL})*)\\})? (-?\\d+(?:\\.\\d+)?|[+-]Inf|NaN)$`);

/** Map of family name to {type, help, samples: Map of series to value}; throws at the first fault. */
function parse(text) {
    assert.ok(text.endsWith('\n'), 'the last line ends');
    const families = new Map();
    let current;
    let pending; // HELP without its TYPE
    for (const line of text.slice(0, -1).split('\n')) {
        const help = new RegExp(`^# HELP (${NAME}) (\\S.*)$`).exec(line);
        const type = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram)$`).exec(line);
        const sample = SAMPLE.exec(line);
        if (help) {
            assert.ok(!pending, line);
            pending = help;
        } else if (type) {
            assert.equal(pending?.[1], type[1], 'HELP and TYPE go together');
            assert.ok(!families.has(type[1]), `${type[1]} is there once, in one block`);
            current = { name: type[1], type: type[2], help: pending[2], samples: new Map() };
            families.set(current.name, current);
            pending = undefined;
        } else {
            assert.ok(sample && current && !pending, `not a line of the format: ${line}`);
            const suffix = sample[1].slice(current.name.length);
            assert.ok(sample[1].startsWith(current.name), line);
            assert.ok(current.type === 'histogram' ? ['_bucket', '_sum', '_count'].includes(suffix) : suffix === '', line);
            const series = `${sample[1]}{${sample[2] ?? ''}}`;
            assert.ok(!current.samples.has(series), `${series} is there once`);
            current.samples.set(series, Number(sample[3].replace('Inf', 'Infinity')));
        }
    }
    assert.ok(!pending);
    for (const family of families.values())
        checkFamily(family);
    return families;
}

function checkFamily({ name, type, samples }) {
    assert.ok(samples.size > 0, `${name} has samples`);
    assert.equal(type === 'counter', name.endsWith('_total'), `${name}: counters, and they alone, end in _total`);
    for (const [series, value] of samples)
        assert.ok(value >= 0 && Number.isFinite(value), `${series} ${value}`);
    if (type !== 'histogram')
        return;
    const groups = new Map();
    for (const [series, value] of samples) {
        const found = /^(.*)_bucket\{(.*?),?le="([^"]+)"\}$/.exec(series);
        if (!found)
            continue;
        const key = `{${found[2]}}`;
        if (!groups.has(key))
            groups.set(key, []);
        groups.get(key).push({ bound: Number(found[3].replace('+Inf', 'Infinity')), value });
    }
    for (const [labels, buckets] of groups) {
        for (let i = 1; i < buckets.length; i++) {
            assert.ok(buckets[i].bound > buckets[i - 1].bound, `${name}${labels}: bounds rise`);
            assert.ok(buckets[i].value >= buckets[i - 1].value, `${name}${labels}: buckets are cumulative`);
        }
        assert.equal(buckets.at(-1).bound, Infinity);
        assert.equal(buckets.at(-1).value, samples.get(`${name}_count${labels}`), 'the last bucket is the count');
        assert.ok(samples.has(`${name}_sum${labels}`));
    }
}

/** A service with a metrics listener; `metrics()` is its text, `read()` one number of it. */
const services = [];
after(() => Promise.all(services.map((service) => service.close()))); // those of tests that failed

async function monitored(settings = {}) {
    const port = await freePort();
    const service = await Service.create({ settings: { metrics_listen: `127.0.0.1:${port}`, ...settings } });
    services.push(service);
    service.metricsUrl = `http://127.0.0.1:${port}`;
    service.metrics = async () => {
        const answer = await fetch(`${service.metricsUrl}/metrics`);
        assert.equal(answer.status, 200);
        return answer.text();
    };
    service.read = async (series) => {
        for (const family of parse(await service.metrics()).values())
            if (family.samples.has(series))
                return family.samples.get(series);
        throw new Error(`no ${series}`);
    };
    return service;
}

const answers = (group, code) => `petition_http_requests_total{group="${group}",code="${code}"}`;

// ---- form and place

test('the text is well formed, version 0.0.4, and has what is promised', async () => {
    const service = await monitored();
    await service.sign(signer(1));
    await service.get('/en');
    const answer = await fetch(`${service.metricsUrl}/metrics`);
    assert.equal(answer.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
    assert.equal(answer.headers.get('cache-control'), 'no-store');
    const families = parse(await answer.text());
    assert.deepEqual([...families.keys()].sort(), [
        'petition_build_info', 'petition_http_request_duration_seconds', 'petition_http_requests_total',
        'petition_publication_age_seconds', 'petition_published_log_entries', 'petition_shown_signatures',
        'petition_wal_pages', 'petition_writer_batch_jobs', 'petition_writer_commit_seconds',
        'petition_writer_failed_batches_total', 'petition_writer_queue_length', 'process_open_fds',
        'process_resident_memory_bytes']);
    assert.ok(await service.read('process_resident_memory_bytes{}') > 1e6);
    assert.ok(await service.read('process_open_fds{}') > 5);
    const version = (await petition(['version'])).stdout.trim().split(' ')[1];
    assert.equal(await service.read(`petition_build_info{version="${version}"}`), 1);
    await service.close();
});

test('every answer is counted in its group and class, whatever the path', async () => {
    const service = await monitored({ publish_every: 3600 });
    const before = parse(await service.metrics()).get('petition_http_requests_total').samples;
    await service.get('/km'); // published
    await service.get('/km', { 'if-none-match': (await service.get('/km')).headers.etag }); // 304
    await service.get('/'); // a handler's 302
    await service.form('/en/sign', signer(1));
    await service.form('/en/sign', {});
    await service.json('/api/v1/signatures', signer(2));
    await service.json('/api/v1/withdraw', { code: 'x' });
    await service.get('/api/v1/deliveries/1');
    await service.get('/readyz');
    await service.get('/no/such?name=Somebody');
    const after = parse(await service.metrics()).get('petition_http_requests_total').samples;
    const gained = {};
    for (const [series, value] of after)
        if (value !== before.get(series))
            gained[series] = value - before.get(series);
    assert.deepEqual(gained, {
        [answers('pages', '2xx')]: 2, [answers('pages', '3xx')]: 2, [answers('sign', '3xx')]: 1,
        [answers('sign', '4xx')]: 1, [answers('sign', '2xx')]: 1, [answers('api', '4xx')]: 2,
        [answers('other', '2xx')]: 1, [answers('other', '4xx')]: 1,
    });
    assert.equal(await service.read('petition_http_request_duration_seconds_count{group="pages"}'),
        (after.get(answers('pages', '2xx')) + after.get(answers('pages', '3xx'))));
    await service.close();
});

test('/metrics is on its own listener only, and there is nothing else but /healthz', async () => {
    const service = await monitored();
    assert.equal((await service.get('/metrics')).status, 404);
    for (const [target, status] of [['/metrics', 200], ['/healthz', 200], ['/', 404], ['/en', 404], ['/api/v1/count', 404],
        ['/readyz', 404], ['/metrics/', 404]])
        assert.equal((await fetch(service.metricsUrl + target)).status, status, target);
    const posted = await fetch(`${service.metricsUrl}/metrics`, { method: 'POST', body: 'x' });
    assert.equal(posted.status, 405);
    const signed = await fetch(`${service.metricsUrl}/api/v1/signatures`, { method: 'POST', body: '{}' });
    assert.equal(signed.status, 404);
    const head = await fetch(`${service.metricsUrl}/metrics`, { method: 'HEAD' });
    assert.equal(head.headers.get('x-content-type-options'), 'nosniff', 'the same headers as elsewhere');
    await service.close();
});

test('a metrics_listen that is listen, taken, or none is refused with one line', async () => {
    const dir = path.join(scratch(), 'data');
    await succeed(['init', '--demo', '--data', dir]);
    const listen = `127.0.0.1:${await freePort()}`;
    const refused = async (metricsListen, status, says) => {
        const end = await petition(['serve', '--data', dir, '--listen', listen],
            { settings: { metrics_listen: metricsListen }, ms: 15_000 });
        assert.equal(end.status, status, end.stderr);
        assert.match(end.stderr, /^petition: [^\n]+\n$/);
        assert.match(end.stderr, says);
    };
    await refused(listen, 2, /metrics_listen/);
    await refused('nowhere', 2, /^petition: metrics_listen must be/);
    const taken = createServer();
    await new Promise((resolve) => taken.listen(0, '127.0.0.1', resolve));
    await refused(`127.0.0.1:${taken.address().port}`, 1, /^petition: metrics_listen: cannot listen on/);
    taken.close();
    // The same port under another name: the system notices.
    await refused(listen.replace('127.0.0.1', '0.0.0.0'), 1, /cannot listen on/);
});

// ---- what it must not tell

/** Everything but what time and the machine make of it. */
function withoutTimes(text) {
    const kept = {};
    for (const family of parse(text).values())
        for (const [series, value] of family.samples)
            if (!/_seconds_(sum|bucket)|_age_seconds|^process_/.test(series))
                kept[series] = value;
    return kept;
}

test('a repeated contact moves every series as a new one does', async () => {
    const service = await monitored({ publish_every: 3600, publish_min: 100000, count_step: 10 });
    await service.sign(signer('first'));
    const settle = () => until(async () => {
        const text = await service.metrics();
        return /^petition_writer_queue_length 0$/m.test(text) && text;
    }, 'nothing is in work');
    const gain = async (fields) => {
        const before = withoutTimes(await settle());
        await service.sign(fields);
        const after = withoutTimes(await settle());
        assert.deepEqual(Object.keys(after), Object.keys(before), 'no series comes or goes');
        return Object.fromEntries(Object.keys(after).map((series) => [series, after[series] - before[series]]));
    };
    const fresh = await gain(signer('second'));
    assert.equal(fresh[answers('sign', '2xx')], 1);
    assert.deepEqual(await gain(signer('first', { name: 'Again', country: 'FR' })), fresh);
    assert.deepEqual(await gain(signer('third', { visibility: 'public' })), fresh);
    assert.deepEqual(await gain(signer('third', { visibility: 'public' })), fresh);
    assert.deepEqual(await gain({ name: 'X', contact: '+855 12 345 678', country: 'KH' }), fresh);
    await service.close();
});

test('figures are those of the last publication, in steps', async () => {
    const service = await monitored({ publish_every: 3600, publish_min: 100000, count_step: 10 });
    await parallel(35, 8, (i) => service.sign(signer(i)));
    assert.equal(await service.read('petition_shown_signatures{}'), 0);
    assert.equal(await service.read('petition_published_log_entries{}'), 1);
    await service.restart(); // publishes
    const count = await service.count();
    assert.equal(await service.read('petition_shown_signatures{}'), count.count);
    assert.equal(count.count % 10, 0);
    assert.equal(await service.read('petition_published_log_entries{}'), count.log_size);
    assert.equal(await service.read('petition_wal_pages{}') % 100, 0);
    await service.close();
});

test('no name, contact, address, country, language, path or token is in it', async () => {
    const service = await monitored();
    const token = await service.organiser('operator-name');
    const receipt = await service.sign({ name: 'Sok Secret', contact: 'secret-contact@example.org', country: 'KH', visibility: 'public' });
    await service.form('/km/sign', { name: 'សុខ', contact: '+855 12 345 678', country: 'KH' });
    await service.get('/km?token=querysecret', { 'user-agent': 'AgentSecret/1', referer: 'https://referrer.example/' });
    await service.get('/path-of-a-visitor');
    await service.get('/api/v1/export/counts.csv', { authorization: `Bearer ${token}` });
    const text = await service.metrics();
    // Of the numbers only a long one says something: any short one may be part of a time.
    assert.ok(!text.includes('12345678'));
    const words = text.replaceAll(/ [\d.e+-]+$/gm, '');
    assert.match(words, /^petition_shown_signatures$/m);
    const secrets = ['Sok', 'Secret', 'secret-contact', 'example', 'សុខ', '855', '345', '127.0.0.1', 'querysecret', 'AgentSecret',
        'referrer', 'path-of', 'operator-name', token, receipt.code, receipt.withdraw];
    for (const secret of secrets)
        assert.ok(!words.includes(secret), `${secret} in the metrics`);
    const labels = new Set([...text.matchAll(/([a-z_]+)="([^"]*)"/g)].map((found) => found[1]));
    assert.deepEqual([...labels].sort(), ['code', 'group', 'le', 'version'], 'no label but these');
    assert.ok(!/="(KH|FR|kh|km|en|fr)"/.test(text));
    await service.close();
});
