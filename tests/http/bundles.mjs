// Asking for a delivery, fetching its bundles, and checking them as an addressee would: with unzip,
// sha256sum and minisign, and nothing of the server's.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { parallel, root, run, scratch, until } from './harness.mjs';

export const bearer = (token) => ({ authorization: `Bearer ${token}` });
export const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
export const addressees = JSON.parse(readFileSync(path.join(root, 'public/addressees.json'), 'utf8')).addressees;

/** Every file below a folder, as paths relative to it. */
export function tree(folder, below = '') {
    return readdirSync(path.join(folder, below)).flatMap((name) => {
        const inner = path.join(below, name);
        return statSync(path.join(folder, inner)).isDirectory() ? tree(folder, inner) : [inner];
    }).sort();
}

/** POST /api/v1/deliveries: the number. */
export async function order(service, token) {
    const answer = await service.request('POST', '/api/v1/deliveries', { headers: bearer(token), body: '' });
    assert.equal(answer.status, 202, answer.text);
    assert.deepEqual(Object.keys(answer.json), ['id']);
    return answer.json.id;
}

export async function describe(service, token, id) {
    const answer = await service.get(`/api/v1/deliveries/${id}`, bearer(token));
    assert.equal(answer.status, 200, answer.text);
    return answer.json;
}

/** Waits until it is done; every state on the way must be a good one. */
export async function finished(service, token, id) {
    let progress = 0;
    return until(async () => {
        const delivery = await describe(service, token, id);
        assert.equal(delivery.id, id);
        assert.ok(['queued', 'running', 'done'].includes(delivery.state), JSON.stringify(delivery));
        assert.ok(delivery.progress >= progress && delivery.progress <= 1, `${delivery.progress} after ${progress}`);
        progress = delivery.progress;
        return delivery.state === 'done' && delivery;
    }, `delivery ${id} is done`, 60_000, 30);
}

/** Downloads the bundles of a finished delivery to a folder: {file, addressee} each. */
export async function fetchBundles(service, token, delivery) {
    const folder = scratch();
    assert.deepEqual(delivery.bundles.map((bundle) => bundle.addressee), addressees.map((entry) => entry.number));
    return parallel(delivery.bundles.length, 4, async (i) => {
        const { addressee, url, sha256: hash, bytes } = delivery.bundles[i];
        assert.ok(url.endsWith(`/api/v1/deliveries/${delivery.id}/bundles/${addressee}.zip`), url);
        const answer = await service.get(new URL(url, service.origin).pathname, bearer(token));
        assert.equal(answer.status, 200);
        assert.equal(answer.type, 'application/zip');
        assert.match(answer.headers['content-disposition'], /attachment; *filename="?[\w-]+\.zip"?/);
        assert.equal(answer.body.length, bytes);
        assert.equal(sha256(answer.body), hash);
        const file = path.join(folder, `${addressee}.zip`);
        writeFileSync(file, answer.body);
        return { addressee, file };
    });
}

/** Unpacks a bundle into a new folder. */
export async function unpack(file) {
    const folder = path.join(scratch(), 'bundle');
    mkdirSync(folder);
    const result = await run('unzip', ['-q', file, '-d', folder]);
    assert.equal(result.status, 0, result.stderr + result.stdout);
    return folder;
}

export const sums = (folder) => run('sha256sum', ['--check', '--strict', '--quiet', 'SHA256SUMS'], { cwd: folder });
export const signature = (folder, key) => run('minisign', ['-V', '-P', key, '-m', 'SHA256SUMS'], { cwd: folder });

/** What an addressee does: `sha256sum -c`, `minisign -V`, and no file but the listed ones. */
export async function assertGenuine(folder, key) {
    const checked = await sums(folder);
    assert.equal(checked.status, 0, checked.stdout + checked.stderr);
    const signed = await signature(folder, key);
    assert.equal(signed.status, 0, signed.stdout + signed.stderr);
    const listed = readFileSync(path.join(folder, 'SHA256SUMS'), 'utf8').trim().split('\n')
        .map((line) => line.replace(/^[0-9a-f]{64} [ *]/, ''));
    assert.deepEqual([...listed, 'SHA256SUMS', 'SHA256SUMS.minisig'].sort(), tree(folder));
}

/** RFC 4180 with a BOM and CRLF: rows as objects by the header's names. */
export function parseCsv(bytes) {
    const text = bytes.toString();
    assert.equal(text[0], '\ufeff', 'begins with a BOM');
    assert.ok(!/[^\r]\n/.test(text), 'lines end with CRLF');
    const rows = [[]];
    const cell = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|$)/y;
    cell.lastIndex = 1;
    while (cell.lastIndex < text.length) {
        const match = cell.exec(text);
        assert.ok(match, 'is RFC 4180');
        rows.at(-1).push(match[1] === undefined ? match[2] : match[1].replaceAll('""', '"'));
        if (match[3] === '\r\n')
            rows.push([]);
    }
    assert.deepEqual(rows.pop(), [], 'ends with a line end');
    const [head, ...body] = rows;
    return body.map((row) => Object.fromEntries(head.map((name, i) => [name, row[i]])));
}

/** All signature rows of an unpacked bundle. */
export function signatureRows(folder) {
    return tree(folder).filter((file) => /^signatures\/part-\d{3}\.csv$/.test(file))
        .flatMap((file) => parseCsv(readFileSync(path.join(folder, file))));
}
