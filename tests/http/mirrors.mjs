// A log as a server publishes it, made from its entries without the server's code: tiles, bundles of
// entries, checkpoints, proofs, log.zip; bundles taken apart and put together again; and what
// `petition verify` says of them.

import assert from 'node:assert/strict';
import { createHash, createPrivateKey, randomBytes, sign as signBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { crc32, deflateRawSync, inflateRawSync } from 'node:zlib';

import { petition, query, run, scratch } from './harness.mjs';

const hash = (...parts) => createHash('sha256').update(Buffer.concat(parts)).digest();
const leafHash = (entry) => hash(Buffer.from([0]), entry);
const nodeHash = (left, right) => hash(Buffer.from([1]), left, right);

// ---- RFC 6962

/** The largest power of two below n. */
const split = (n) => 2 ** Math.ceil(Math.log2(n) - 1);

export function rootOf(leaves) {
    if (leaves.length === 0)
        return hash(Buffer.alloc(0));
    if (leaves.length === 1)
        return leaves[0];
    const k = split(leaves.length);
    return nodeHash(rootOf(leaves.slice(0, k)), rootOf(leaves.slice(k)));
}

function inclusion(index, leaves) {
    if (leaves.length === 1)
        return [];
    const k = split(leaves.length);
    return index < k ? [...inclusion(index, leaves.slice(0, k)), rootOf(leaves.slice(k))]
        : [...inclusion(index - k, leaves.slice(k)), rootOf(leaves.slice(0, k))];
}

// ---- the key

/** A log's key out of its file: {name, vkey, sign(text)}. */
export function logKey(file) {
    const [, name, typed] = /^PRIVATE\+KEY\+([^+]+)\+[0-9a-f]{8}\+(.*)$/.exec(readFileSync(file, 'utf8').trim());
    return keyOf(name, Buffer.from(typed, 'base64').subarray(1));
}

export function keyOf(name, seed) {
    const key = createPrivateKey({ key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]), format: 'der', type: 'pkcs8' });
    const jwk = Buffer.from(key.export({ format: 'jwk' }).x, 'base64url');
    const typed = Buffer.concat([Buffer.from([1]), jwk]);
    const id = hash(Buffer.from(`${name}\n`), typed).subarray(0, 4);
    return {
        name,
        vkey: `${name}+${id.toString('hex')}+${typed.toString('base64')}`,
        sign: (text) => `${text}\n\u2014 ${name} ${Buffer.concat([id, signBytes(null, Buffer.from(text), key)]).toString('base64')}\n`,
    };
}

// ---- a log

const tilePath = (level, n) => {
    const digits = String(n).padStart(Math.ceil(String(n).length / 3) * 3, '0').match(/.{3}/g);
    return `tile/${level}/${digits.map((three, i) => (i < digits.length - 1 ? `x${three}` : three)).join('/')}`;
};

/** Entries are Buffers. */
export class Log {
    constructor(entries, key) {
        this.entries = entries;
        this.key = key;
        this.leaves = entries.map(leafHash);
    }

    /** A copy with these entries behind its own. */
    with(...more) {
        return new Log([...this.entries, ...more.map((entry) => Buffer.from(typeof entry === 'string' ? entry : JSON.stringify(entry)))], this.key);
    }

    /** A copy with one entry changed: a fork, signed all the same. */
    forked(index, entry) {
        return new Log(this.entries.map((one, i) => (i === index ? Buffer.from(entry) : one)), this.key);
    }

    get genesis() {
        return this.leaves[0];
    }

    root(size = this.entries.length) {
        return rootOf(this.leaves.slice(0, size));
    }

    checkpoint(size = this.entries.length) {
        return this.key.sign(`${this.key.name}\n${size}\n${this.root(size).toString('base64')}\n`);
    }

    proof(index, size = this.entries.length) {
        const lines = inclusion(index, this.leaves.slice(0, size)).map((one) => `${one.toString('base64')}\n`).join('');
        return `c2sp.org/tlog-proof@v1\nextra ${this.entries[index].toString('base64')}\nindex ${index}\n${lines}\n${this.checkpoint(size)}`;
    }

    /** What is served at that size: {path: Buffer}. */
    files(size = this.entries.length) {
        const files = { checkpoint: Buffer.from(this.checkpoint(size)), vkey: Buffer.from(`${this.key.vkey}\n`), 'README.txt': Buffer.from('A log.\n') };
        const put = (name, width, bytes) => {
            files[width === 256 ? name : `${name}.p/${width}`] = bytes;
        };
        let hashes = this.leaves.slice(0, size);
        for (let n = 0; n * 256 < size; n++) {
            const part = this.entries.slice(n * 256, Math.min(size, n * 256 + 256));
            put(tilePath('entries', n), part.length, Buffer.concat(part.flatMap((entry) => [Buffer.from([entry.length >> 8, entry.length & 255]), entry])));
        }
        for (let level = 0; hashes.length > 0; level++) {
            const above = [];
            for (let n = 0; n * 256 < hashes.length; n++) {
                const part = hashes.slice(n * 256, n * 256 + 256);
                put(tilePath(level, n), part.length, Buffer.concat(part));
                if (part.length === 256)
                    above.push(rootOf(part));
            }
            hashes = above;
        }
        return files;
    }

    folder(size, change = (files) => files) {
        const folder = path.join(scratch(), 'log');
        for (const [name, bytes] of Object.entries(change(this.files(size)))) {
            mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
            writeFileSync(path.join(folder, name), bytes);
        }
        return folder;
    }

    zip(size) {
        return keep('log.zip', zip(this.files(size)));
    }
}

/** The log of a server that is stopped or between two publications, from its database. */
export async function logOf(service) {
    const rows = await query(service.dir, 'SELECT LOWER(HEX(body)) AS hex FROM log_entry ORDER BY idx');
    return new Log(rows.map(({ hex }) => Buffer.from(hex, 'hex')), logKey(service.file('log.key')));
}

/** Writes bytes to a file in a folder of its own: its path. */
export function keep(name, bytes) {
    const file = path.join(scratch(), name);
    writeFileSync(file, bytes);
    return file;
}

// ---- ZIP (APPNOTE.TXT), laid out as the server does

export function zip(files) {
    const members = [];
    const directory = [];
    let at = 0;
    for (const [name, bytes] of Object.entries(files)) {
        const packed = deflateRawSync(bytes);
        const fields = Buffer.alloc(26);
        fields.writeUInt16LE(20, 0);
        fields.writeUInt16LE(8, 4);
        fields.writeUInt32LE(0x4b570000, 6);
        fields.writeUInt32LE(crc32(bytes), 10);
        fields.writeUInt32LE(packed.length, 14);
        fields.writeUInt32LE(bytes.length, 18);
        fields.writeUInt16LE(name.length, 22);
        const tail = Buffer.alloc(14);
        tail.writeUInt32LE(0o100644 * 65536, 6);
        tail.writeUInt32LE(at, 10);
        members.push(Buffer.from('PK\x03\x04'), fields, Buffer.from(name), packed);
        directory.push(Buffer.from('PK\x01\x02\x3f\x03', 'latin1'), fields, tail, Buffer.from(name));
        at += 30 + name.length + packed.length;
    }
    const list = Buffer.concat(directory);
    const end = Buffer.alloc(22);
    end.write('PK\x05\x06', 'latin1');
    end.writeUInt16LE(Object.keys(files).length, 8);
    end.writeUInt16LE(Object.keys(files).length, 10);
    end.writeUInt32LE(list.length, 12);
    end.writeUInt32LE(at, 16);
    return Buffer.concat([...members, list, end]);
}

/** {name: Buffer}, in the directory's order. */
export function unzip(bytes) {
    const end = bytes.lastIndexOf('PK\x05\x06', undefined, 'latin1');
    const files = {};
    let at = bytes.readUInt32LE(end + 16);
    for (let i = 0; i < bytes.readUInt16LE(end + 10); i++) {
        const name = bytes.toString('utf8', at + 46, at + 46 + bytes.readUInt16LE(at + 28));
        const member = bytes.readUInt32LE(at + 42);
        const data = member + 30 + bytes.readUInt16LE(member + 26) + bytes.readUInt16LE(member + 28);
        const packed = bytes.subarray(data, data + bytes.readUInt32LE(at + 20));
        files[name] = bytes.readUInt16LE(at + 10) === 0 ? packed : inflateRawSync(packed);
        at += 46 + bytes.readUInt16LE(at + 28) + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
    }
    return files;
}

// ---- bundles

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const UNSUMMED = ['manifest.json', 'SHA256SUMS', 'SHA256SUMS.minisig'];

/**
 * A bundle's files with manifest, sums and signature made anew by somebody who has the keys: what an
 * operator could hand out. `change(files, manifest)` alters them before.
 */
export async function remade(files, minisignKey, change = () => {}) {
    const manifest = JSON.parse(files['manifest.json']);
    const others = Object.fromEntries(Object.entries(files).filter(([name]) => !UNSUMMED.includes(name)));
    delete manifest.zlib; // packed by another program
    change(others, manifest);
    const entries = Object.entries(others);
    manifest.files = entries.map(([name, bytes]) => ({ name, sha256: sha256(bytes), bytes: bytes.length }));
    const text = Buffer.from(JSON.stringify(manifest));
    const sums = [...entries, ['manifest.json', text]].map(([name, bytes]) => `${sha256(bytes)}  ${name}\n`).join('');
    const file = keep('SHA256SUMS', sums);
    const comment = `petition delivery ${manifest.delivery} addressee ${String(manifest.addressee).padStart(2, '0')} date ${manifest.date} file SHA256SUMS`;
    const signed = await run('minisign', ['-S', '-W', '-s', minisignKey, '-m', file, '-t', comment]);
    assert.equal(signed.status, 0, signed.stderr);
    return { ...others, 'manifest.json': text, SHA256SUMS: Buffer.from(sums), 'SHA256SUMS.minisig': readFileSync(`${file}.minisig`) };
}

/** The `dlv` entry for 19 bundles as files. */
export const deliveryEntry = (n, size, bundles) => JSON.stringify({ v: 1, t: 'dlv', n, size, manifests: bundles.map((files) => sha256(files['manifest.json'])) });

/** A signer of our own: a `sign` entry for the end of a log, its private opening, and its withdrawal. */
export function signature(log, { contact = 'ann@example.org', text = 0, ...more } = {}) {
    const index = log.entries.length;
    const [r, r2, s] = [randomBytes(32), randomBytes(32), randomBytes(32)];
    const fields = JSON.stringify({ name: 'Ann Müller', country: 'KH', text, day: '2017-10-23', visibility: 'private', ...more });
    const ch = hash(Buffer.from('petition-contact/v1\n'), r2, Buffer.from(contact));
    const c = hash(Buffer.from('petition-sign/v1\n'), log.genesis, r, ch, Buffer.from(fields));
    const w = hash(Buffer.from('petition-withdraw/v1\n'), s);
    const base64 = (bytes) => bytes.toString('base64');
    return {
        index,
        entry: JSON.stringify({ v: 1, t: 'sign', c: base64(c), w: base64(w) }),
        withdrawal: JSON.stringify({ v: 1, t: 'wd', i: index, s: base64(s) }),
        opening: { v: 1, index, genesis: base64(log.genesis), r: base64(r), r2: base64(r2), contact, fields },
    };
}

// ---- the verdict

/** Exit 0 and a last line OK: the lines. */
export async function holds(...args) {
    const result = await petition(['verify', ...args]);
    assert.equal(result.status, 0, result.stderr);
    assert.equal(result.stderr, '');
    assert.match(result.stdout, /(^|\n)OK\n$/);
    return result.stdout;
}

/** One line on standard error, nothing on standard output: the line. */
export async function refused(...args) {
    const result = await petition(['verify', ...args]);
    assert.equal(result.status, 1, `${args.join(' ')}: ${result.stdout}${result.stderr}`);
    assert.equal(result.stdout, '');
    assert.match(result.stderr, /^petition: [^\n]+\n$/);
    return result.stderr;
}
