// Starts the server under test on a free port with a folder of its own, speaks HTTP to it, and ends
// what it started, by process id, whatever happens. Every loop and wait here is bounded.
//
// PETITION_BIN is the program (default build/petition). The server's environment holds no
// PETITION_* of ours: settings are given per service, as {some_key: value}.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const bin = path.resolve(root, process.env.PETITION_BIN ?? 'build/petition');

const START_MS = 15_000;
const STOP_MS = 15_000; // requests in work have ten seconds
const COMMAND_MS = 120_000;
const REQUEST_MS = 60_000;

// ---- what must not outlive this process

const children = new Set();
const folders = new Set();

process.on('exit', () => {
    for (const child of children) {
        try {
            process.kill(child.pid, 'SIGKILL');
        } catch {
            // It has ended by itself.
        }
    }
    for (const folder of folders)
        rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => process.exit(1));

export function track(child) {
    children.add(child);
    child.once('close', () => children.delete(child));
    return child;
}

/** A new folder that is removed at the end. */
export function scratch(name = 'petition-test-') {
    const folder = mkdtempSync(path.join(os.tmpdir(), name));
    folders.add(folder);
    return folder;
}

// ---- small helpers

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Calls `probe` until it gives something true, and returns that. */
export async function until(probe, what, ms = 20_000, step = 50) {
    const end = Date.now() + ms;
    for (;;) {
        const found = await probe();
        if (found)
            return found;
        if (Date.now() > end)
            throw new Error(`waited ${ms} ms in vain: ${what}`);
        await sleep(step);
    }
}

/** Runs `work(i)` for 0..count-1, at most `width` at a time; the results in order. */
export async function parallel(count, width, work) {
    const results = new Array(count);
    let next = 0;
    const worker = async () => {
        while (next < count) {
            const i = next++;
            results[i] = await work(i);
        }
    };
    await Promise.all(Array.from({ length: Math.min(width, count) }, worker));
    return results;
}

const canListen = (port) => new Promise((resolve) => {
    const probe = net.createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
});

/**
 * A port where nobody listens, below those that the kernel gives to outgoing connections: a server
 * that is restarted finds it free again.
 */
export async function freePort() {
    for (let i = 0; i < 100; i++) {
        const port = 10_000 + Math.floor(Math.random() * 22_000);
        if (await canListen(port))
            return port;
    }
    throw new Error('no free port');
}

export function environment(settings = {}) {
    const env = {};
    for (const [name, value] of Object.entries(process.env))
        if (!name.startsWith('PETITION_') && name !== 'RUNTIME_DIRECTORY' && name !== 'JOURNAL_STREAM')
            env[name] = value;
    for (const [key, value] of Object.entries(settings))
        env[`PETITION_${key.toUpperCase()}`] = String(value);
    return env;
}

/** A sanitizer's report fails the test that caused it. */
function refuseReports(stderr) {
    const at = stderr.search(/(Address|Leak|Thread|Memory|UndefinedBehavior)Sanitizer|runtime error:/);
    if (at >= 0)
        throw new Error(`sanitizer report:\n${stderr.slice(at, at + 6000)}`);
}

/** Runs any program to its end: {status, signal, stdout, stderr}. */
export function run(program, args, { stdin = '', env = environment(), cwd = root, ms = COMMAND_MS } = {}) {
    return new Promise((resolve, reject) => {
        const child = track(spawn(program, args, { env, cwd, stdio: ['pipe', 'pipe', 'pipe'] }));
        const out = [];
        const err = [];
        const timer = setTimeout(() => child.kill('SIGKILL'), ms);
        child.stdout.on('data', (piece) => out.push(piece));
        child.stderr.on('data', (piece) => err.push(piece));
        child.stdin.on('error', () => {}); // it may end before it has read all
        child.once('error', reject);
        child.once('close', (status, signal) => {
            clearTimeout(timer);
            resolve({
                status,
                signal,
                stdout: Buffer.concat(out).toString(),
                stderr: Buffer.concat(err).toString(),
            });
        });
        child.stdin.end(stdin);
    });
}

/** `petition ARGS` with settings from the environment only. */
export async function petition(args, { stdin, settings, cwd, ms } = {}) {
    const result = await run(bin, args, { stdin, cwd, ms, env: environment(settings) });
    refuseReports(result.stderr);
    return result;
}

/** As petition(), and it must succeed: the standard output. */
export async function succeed(args, options) {
    const result = await petition(args, options);
    assert.equal(result.status, 0, `petition ${args.join(' ')}: ${result.stderr}${result.signal ?? ''}`);
    return result.stdout;
}

// ---- the server

export class Service {
    /** A service with an initialised folder, running. Options: settings, demo (true), folder. */
    static async create({ settings = {}, demo = true, folder } = {}) {
        const service = new Service(folder ?? path.join(scratch(), 'data'), settings);
        if (!folder)
            await succeed(['init', ...(demo ? ['--demo'] : []), '--data', service.dir]);
        await service.start();
        return service;
    }

    /** `socket`: listen on this unix socket instead of a port. */
    constructor(dir, settings = {}, socket = undefined) {
        this.dir = dir;
        this.socket = socket;
        this.settings = { publish_every: 1, ...settings };
        this.stderr = ''; // of all runs
        this.child = null;
        this.port = 0;
        this.agent = null;
    }

    get origin() {
        return `http://127.0.0.1:${this.port}`;
    }

    get pid() {
        return this.child.pid;
    }

    file(name) {
        return path.join(this.dir, name);
    }

    /** Starts it and waits until it answers. `wrap` is a program in front, such as prlimit. */
    async start({ wrap = [] } = {}) {
        if (!this.socket)
            this.port ||= await freePort();
        this.agent = new http.Agent({ keepAlive: true, maxSockets: 256 });
        const [program, ...args] = [...wrap, bin, 'serve', '--data', this.dir,
            '--listen', this.socket ? `unix:${this.socket}` : `127.0.0.1:${this.port}`];
        const child = track(spawn(program, args, {
            cwd: root,
            env: environment(this.settings),
            stdio: ['ignore', 'ignore', 'pipe'],
        }));
        this.child = child;
        child.stderr.on('data', (piece) => {
            this.stderr += piece;
        });
        this.ended = new Promise((resolve) => {
            child.once('close', (status, signal) => resolve({ status, signal }));
        });
        try {
            await until(async () => {
                if (child.exitCode !== null || child.signalCode !== null)
                    throw new Error(`the server ended at once: ${this.stderr}`);
                const answer = await this.get('/healthz').catch(() => null);
                return answer?.status === 200;
            }, 'the server answers /healthz', START_MS, 15);
        } catch (error) {
            await this.kill9();
            throw error;
        }
    }

    async #end(signal) {
        const child = this.child;
        if (!child)
            return { status: null, signal: null };
        if (child.exitCode === null && child.signalCode === null)
            process.kill(child.pid, signal);
        const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
        const end = await this.ended;
        clearTimeout(timer);
        this.agent.destroy();
        this.child = null;
        refuseReports(this.stderr);
        return end;
    }

    /** SIGTERM, after STOP_MS SIGKILL: {status, signal}. */
    stop() {
        return this.#end('SIGTERM');
    }

    kill9() {
        return this.#end('SIGKILL');
    }

    async restart() {
        await this.stop();
        await this.start();
    }

    /** The end of a test: it must have been possible to stop it in good order. */
    async close() {
        if (!this.child)
            return;
        const end = await this.stop();
        assert.deepEqual(end, { status: 0, signal: null }, `the server's end: ${this.stderr}`);
    }

    /** A copy of the folder, sockets left out. */
    copy() {
        const target = path.join(scratch(), 'data');
        cpSync(this.dir, target, {
            recursive: true,
            filter: (source) => !source.endsWith('.sock'),
        });
        return target;
    }

    /** `petition ARGS --data DIR`. */
    cli(args, options = {}) {
        return petition([...args, '--data', this.dir], { settings: this.settings, ...options });
    }

    succeed(args, options = {}) {
        return succeed([...args, '--data', this.dir], { settings: this.settings, ...options });
    }

    // -- requests

    /** {status, headers, body (Buffer), text, json}; never follows, never decompresses. */
    request(method, target, { headers = {}, body, agent = this.agent } = {}) {
        return new Promise((resolve, reject) => {
            const rq = http.request({
                ...(this.socket ? { socketPath: this.socket } : { host: '127.0.0.1', port: this.port }),
                method,
                path: target,
                agent,
                headers: body === undefined ? headers
                    : { 'content-length': Buffer.byteLength(body), ...headers },
                timeout: REQUEST_MS,
            }, (answer) => {
                const pieces = [];
                answer.on('data', (piece) => pieces.push(piece));
                answer.once('error', reject);
                answer.once('end', () => resolve(new Answer(answer, Buffer.concat(pieces))));
            });
            rq.once('timeout', () => rq.destroy(new Error(`no answer: ${method} ${target}`)));
            rq.once('error', reject);
            // As curl does with a large body: who is refused by the headers alone need not send it, and
            // loses no answer when the connection is closed upon him.
            if (headers.expect)
                rq.once('continue', () => rq.end(body)).once('response', (answer) => answer.once('end', () => rq.destroy()));
            else
                rq.end(body);
        });
    }

    get(target, headers = {}, more = {}) {
        return this.request('GET', target, { headers, ...more });
    }

    /** `fields`: an object, or the encoded body itself. */
    form(target, fields, headers = {}, more = {}) {
        const body = typeof fields === 'string' || Buffer.isBuffer(fields) ? fields
            : new URLSearchParams(fields).toString();
        return this.request('POST', target, {
            headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
            body,
            ...more,
        });
    }

    /** `value`: what to encode, or the body itself as text or bytes. */
    json(target, value, headers = {}, more = {}) {
        const body = typeof value === 'string' || Buffer.isBuffer(value) ? value
            : JSON.stringify(value);
        return this.request('POST', target, {
            headers: { 'content-type': 'application/json', ...headers },
            body,
            ...more,
        });
    }

    /** Signs by the API and returns the receipt. */
    async sign(fields) {
        const answer = await this.json('/api/v1/signatures', fields);
        assert.equal(answer.status, 202, answer.text);
        return answer.json.receipt;
    }

    async withdraw(code) {
        return this.json('/api/v1/withdraw', { code });
    }

    async count() {
        const answer = await this.get('/api/v1/count');
        assert.equal(answer.status, 200);
        return answer.json;
    }

    /** Waits until the public figures include every entry before `size`. */
    published(size) {
        return until(async () => {
            const count = await this.count();
            return count.log_size >= size && count;
        }, `log_size ${size} is published`);
    }

    /**
     * Sends bytes as they are; what came back until the server closed or `ms` passed. `answers` are the
     * statuses of all answers on the connection, `status` is the first.
     */
    raw(bytes, ms = 3000) {
        return new Promise((resolve, reject) => {
            const pieces = [];
            const socket = net.connect(this.port, '127.0.0.1', () => socket.write(bytes));
            const finish = (closed) => {
                clearTimeout(timer);
                socket.destroy();
                const text = Buffer.concat(pieces).toString('latin1');
                const answers = [...text.matchAll(/HTTP\/1\.[01] (\d{3}) /g)].map((line) => Number(line[1]));
                resolve({ text, closed, answers, status: answers[0] });
            };
            const timer = setTimeout(() => finish(false), ms);
            socket.on('data', (piece) => pieces.push(piece));
            socket.once('end', () => finish(true));
            socket.once('error', (error) => {
                // A reset after the answer is a close.
                if (pieces.length > 0 || error.code === 'ECONNRESET') {
                    finish(true);
                } else {
                    clearTimeout(timer);
                    reject(error);
                }
            });
        });
    }

    /** An organiser with a token. */
    async organiser(name = 'admin', password = 'correct horse battery') {
        await this.succeed(['organiser', 'add', name], { stdin: `${password}\n` });
        return this.token(name);
    }

    async token(name = 'admin') {
        const line = await this.succeed(['token', name]);
        assert.match(line, /^\S+\n$/, 'exactly the token and a newline');
        return line.trim();
    }
}

/** Runs the test on a service of its own, which it then ends in good order. */
export async function withService(options, work) {
    const service = await Service.create(options);
    try {
        await work(service);
    } finally {
        await service.close();
    }
}

class Answer {
    constructor(message, body) {
        this.status = message.statusCode;
        this.headers = message.headers;
        this.names = message.rawHeaders.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase());
        this.body = body;
    }

    get text() {
        return this.body.toString();
    }

    get json() {
        return JSON.parse(this.text);
    }

    get type() {
        return (this.headers['content-type'] ?? '').split(';')[0].trim();
    }
}

// ---- signers

/** The n-th made-up signer; `more` overrides. */
export function signer(n, more = {}) {
    return { name: `Signer ${n}`, contact: `signer-${n}@example.org`, country: 'KH', ...more };
}

/**
 * Signs from `width` keep-alive connections until `stop()` is called or the server is gone.
 * Returns {stop, done}; `done` gives {acknowledged: receipts of every 202, statuses: Set}.
 */
export function load(service, { width = 8, fields = (n) => signer(n), limit = 200_000 } = {}) {
    const acknowledged = [];
    const statuses = new Set();
    let stopped = false;
    let next = 0;
    const worker = async () => {
        while (!stopped && next < limit) {
            const n = next++;
            let answer;
            try {
                answer = await service.json('/api/v1/signatures', fields(n));
            } catch {
                return; // the connection broke: nothing was promised
            }
            statuses.add(answer.status);
            if (answer.status === 202)
                acknowledged.push({ ...answer.json.receipt, n });
        }
    };
    return {
        acknowledged,
        stop() {
            stopped = true;
        },
        done: Promise.all(Array.from({ length: width }, worker))
            .then(() => ({ acknowledged, statuses })),
    };
}

// ---- the database, from outside

/** Runs SQL on a copy of the database (so that nothing of the server's is touched); rows of columns. */
export async function query(folder, sql) {
    const copy = scratch();
    for (const name of ['petition.db', 'petition.db-wal'])
        if (existsSync(path.join(folder, name)))
            cpSync(path.join(folder, name), path.join(copy, name));
    const result = await run('sqlite3', ['-batch', '-json', path.join(copy, 'petition.db'), sql]);
    assert.equal(result.status, 0, result.stderr);
    rmSync(copy, { recursive: true, force: true });
    return result.stdout.trim() ? JSON.parse(result.stdout) : [];
}

/** The indices of the live submissions, as `petition export` lists them. */
export async function exported(folder, settings) {
    const file = path.join(scratch(), 'sealed.jsonl');
    await succeed(['export', file, '--data', folder], { settings });
    return readFileSync(file, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));
}

// ---- codes

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** INDEX-<26 digits of the seed><Luhn mod 32>: the withdrawal code, computed independently. */
export function withdrawCode(index, seed) {
    let bits = '';
    for (const byte of seed)
        bits += byte.toString(2).padStart(8, '0');
    bits += '00';
    const digits = bits.match(/.{5}/g).map((five) => parseInt(five, 2));
    let sum = 0;
    digits.forEach((digit, i) => {
        // The check digit stands to the right, so the last of the 26 is doubled.
        const addend = digit * ((digits.length - i) % 2 === 1 ? 2 : 1);
        sum += Math.floor(addend / 32) + (addend % 32);
    });
    const check = (32 - (sum % 32)) % 32;
    return `${index}-${[...digits, check].map((digit) => CROCKFORD[digit]).join('')}`;
}

/** The withdrawal code in a page's text, with whatever separators it is shown, or undefined. */
export function findWithdrawCode(html) {
    const text = html.replace(/<[^>]*>/g, ' ');
    return /\b\d+-(?:[\s-]*[0-9A-HJKMNP-TV-Z]){27}(?![0-9A-Z])/.exec(text)?.[0].replace(/\s/g, '');
}
