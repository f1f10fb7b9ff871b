// What bench.mjs and bench-10m.mjs share: a scratch folder and programs that end with this process,
// loads, medians, what /proc says of a process, and the table.

import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { bin, root, run, until } from '../http/harness.mjs';

export { bin, sleep, until };

export const folder = path.join(root, process.env.BUILD ?? 'build', 'bench');
export const built = (name) => path.join(root, process.env.BUILD ?? 'build', name);

/** A file of Debian's nginx: installed, or where install-deps.sh unpacks it. */
export function debian(file) {
    const unpacked = path.join(root, 'tests/proxies', file);
    return existsSync(unpacked) ? unpacked : `/${file}`;
}

const TICKS_PER_S = 100; // of /proc/PID/stat, whatever the kernel's own
const PROGRAM_MS = 3_600_000;

// ---- what must not outlive this process

const children = new Set();

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true, mode: 0o700 });
process.on('exit', () => {
    for (const child of children)
        child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
});

/** A program that runs until `stop(child)`. */
export function start(program, args) {
    const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] });
    child.errors = '';
    child.stderr.on('data', (piece) => {
        child.errors += piece;
    });
    child.ended = new Promise((resolve) => {
        child.once('close', resolve);
    });
    children.add(child);
    return child;
}

export async function stop(child, signal = 'SIGTERM') {
    child.kill(signal);
    await child.ended;
    children.delete(child);
}

/** Runs a program to its end; its standard output. */
export async function output(program, args) {
    const { status, stdout, stderr } = await run(program, args, { ms: PROGRAM_MS });
    if (status !== 0)
        throw new Error(`${program} ${args.join(' ')}: ${stderr}`);
    return stdout;
}

/** A new data directory. */
export async function makeData(name) {
    const data = path.join(folder, name);
    await output(bin, ['init', '--data', data]);
    return data;
}

/** Waits until the address answers 200. */
export async function answers(child, url) {
    await until(async () => {
        if (child.exitCode !== null)
            throw new Error(`${child.spawnfile} ended at once: ${child.errors}`);
        return (await fetch(url).catch(() => null))?.ok;
    }, url, 60_000, 2);
}

/** A server on that data directory and port. */
export async function serve(data, port, program = bin, settings = []) {
    const child = start('env', [...settings, program, 'serve', '--data', data, '--listen', `127.0.0.1:${port}`]);
    await answers(child, `http://127.0.0.1:${port}/healthz`);
    return child;
}

// ---- loads

/** wrk with one thread and 64 keep-alive connections: requests a second. Any failure is an error. */
export async function wrk(url, seconds, args = [], scriptArgs = []) {
    const said = await output('wrk', ['-t1', '-c64', `-d${seconds}s`, ...args, url, ...scriptArgs]);
    if (/Non-2xx or 3xx|Socket errors/.test(said))
        throw new Error(`wrk ${url}: ${said}`);
    return {
        rate: Number(/Requests\/sec:\s+([\d.]+)/.exec(said)[1]),
        count: Number(/(\d+) requests in/.exec(said)[1]),
    };
}

let signed = 0;
/** wrk that signs, each time with contacts of their own. */
export const wrkSign = (port, seconds) =>
    wrk(`http://127.0.0.1:${port}`, seconds, ['-s', path.join(root, 'tests/bench/sign.lua')],
        ['--', String(++signed)]);

/** tests/bench/fill.c: {rate, cpu_us} of that many submissions, and of those that follow. */
export const fill = (data, ...counts) => fillWith('fill', data, ...counts);

export async function fillWith(program, data, ...counts) {
    const said = await output(built(program), [data, ...counts.map(String)]);
    return said.trim().split('\n').map((line) => {
        const [n, seconds, cpu] = line.split(' ').map(Number);
        return { rate: n / seconds, cpu_us: 1e6 * cpu / n };
    });
}

export function median(values) {
    const sorted = [...values].sort((a, b) => a - b);
    return sorted[sorted.length >> 1];
}

// ---- a process

/** Bytes of a line of /proc/PID/status, or 0 once it has ended. */
export function memory(pid, line) {
    try {
        const status = readFileSync(`/proc/${pid}/status`, 'latin1');
        return 1024 * Number(new RegExp(`${line}:\\s+(\\d+) kB`).exec(status)?.[1] ?? 0);
    } catch {
        return 0;
    }
}

/** Seconds of processor time it has used. */
export function cpu(pid) {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\) /, '').split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
}

export function size(...names) {
    const file = path.join(...names);
    return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

// ---- the table

const rows = [['what', 'ours', 'theirs', 'ratio', 'budget']];

export const number = (n, digits = 0) => n.toLocaleString('en', { maximumFractionDigits: digits });

/** A row of the table; undefined cells stay empty. */
export function report(what, { ours, theirs = '', ratio = '', budget = '' }) {
    rows.push([what, ours, theirs, typeof ratio === 'number' ? ratio.toFixed(2) : ratio, budget]);
    console.error(`${what}: ${rows.at(-1).slice(1).filter(Boolean).join(' · ')}`);
}

export function printTable() {
    const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
    const line = (cells) => `| ${cells.map((cell, i) => cell.padEnd(widths[i])).join(' | ')} |`;

    console.log(line(rows[0]));
    console.log(line(widths.map((width) => '-'.repeat(width))));
    for (const row of rows.slice(1))
        console.log(line(row));
}
