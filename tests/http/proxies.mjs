// The proxies of deploy/ as processes of their own, in front of a service or of any other upstream.
//
// Their configurations are the files of deploy/ with the lines for the ports, the upstream and the
// log file replaced; each replacement must find its line. Everything else that nginx needs stands in
// a main file like Debian's: with an access log, and compressing.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';

import { Service, environment, freePort, root, scratch, track, until } from './harness.mjs';

export const HOST = 'petition.example';

/** The client's own address, so that it can be looked for in what others have written. */
export const CLIENT = '127.0.0.77';

function program(name) {
    const places = [`/usr/sbin/${name}`, `/usr/bin/${name}`, path.join(root, 'tests/proxies/usr/sbin', name),
        path.join(root, 'tests/proxies/usr/bin', name)];
    const found = places.find(existsSync);
    assert.ok(found, `${name} is here: deploy/install-deps.sh --test`);
    return found;
}

/** The text with each of `pairs` replaced in the one place where it must stand. */
export function replaced(text, pairs) {
    for (const [from, to] of pairs) {
        assert.equal(text.split(from).length, 2, `once in the file: ${from}`);
        text = text.replace(from, () => to);
    }
    return text;
}

const deploy = (name) => readFileSync(path.join(root, 'deploy', name), 'utf8');

// Bodies and answers must not reach nginx's disk: where it would put them stands a file instead.
const NGINX_TEMPORARY = ['client_body', 'proxy'];

const kinds = {
    nginx: {
        site: ({ port, upstream, dir }) => replaced(deploy('nginx.conf'), [
            ['\n    server 127.0.0.1:8080;', `\n    server ${upstream.socket ? `unix:${upstream.socket}` : `127.0.0.1:${upstream.port}`};`],
            ['\n    listen 80;\n    listen [::]:80;', `\n    listen 127.0.0.1:${port};`],
            ['\n    error_log /var/log/nginx/petition-error.log crit;', `\n    error_log ${dir}/site-error.log crit;`],
        ]),
        configure(site, dir) {
            writeFileSync(path.join(dir, 'site.conf'), site);
            writeFileSync(path.join(dir, 'nginx.conf'), `
                daemon off;
                ${process.getuid() === 0 ? 'user root;' : ''}
                worker_processes 1;
                pid ${dir}/nginx.pid;
                error_log ${dir}/error.log;
                events { worker_connections 256; }
                http {
                    default_type application/octet-stream;
                    access_log ${dir}/access.log;
                    gzip on;
                    ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${dir}/${name};`).join('\n')}
                    include ${dir}/site.conf;
                }`);
            return ['-p', dir, '-e', `${dir}/error.log`, '-c', path.join(dir, 'nginx.conf')];
        },
        started(dir) {
            for (const name of NGINX_TEMPORARY) {
                rmSync(path.join(dir, name), { recursive: true });
                writeFileSync(path.join(dir, name), '');
            }
        },
        stop: 'SIGQUIT',
    },
    caddy: {
        site: ({ port, upstream }) => replaced(deploy('Caddyfile'), [
            [`\n${HOST} {`, `\nhttp://${HOST}:${port} {`],
            ['\tadmin off\n', '\tadmin off\n\tdefault_bind 127.0.0.1\n'],
            ['reverse_proxy 127.0.0.1:8080', `reverse_proxy ${upstream.socket ? `unix/${upstream.socket}` : `127.0.0.1:${upstream.port}`}`],
        ]),
        configure(site, dir) {
            writeFileSync(path.join(dir, 'Caddyfile'), site);
            return ['run', '--config', path.join(dir, 'Caddyfile'), '--adapter', 'caddyfile'];
        },
        started() {},
        stop: 'SIGTERM',
    },
};

/** A running proxy; speaks like a Service, but its requests pass through it. */
export class Proxy extends Service {
    /**
     * `upstream`: {port} or {socket}; `change(site, port)`: a further change of the configuration.
     */
    static async start(kind, upstream, change = (site) => site) {
        const proxy = new Proxy(scratch());
        const tools = kinds[kind];
        proxy.kind = kind;
        proxy.port = await freePort();
        const site = change(tools.site({ port: proxy.port, upstream, dir: proxy.dir }), proxy.port);
        const args = tools.configure(site, proxy.dir);
        for (const name of ['home', 'config', 'state'])
            mkdirSync(path.join(proxy.dir, name));
        const child = track(spawn(program(kind), args, {
            cwd: proxy.dir,
            env: { ...environment(), HOME: `${proxy.dir}/home`, XDG_CONFIG_HOME: `${proxy.dir}/config`, XDG_DATA_HOME: `${proxy.dir}/state` },
            stdio: ['ignore', 'ignore', 'pipe'],
        }));
        proxy.process = child;
        child.stderr.on('data', (piece) => {
            proxy.stderr += piece;
        });
        proxy.exited = new Promise((resolve) => {
            child.once('close', resolve);
        });
        proxy.agent = new http.Agent({ keepAlive: true, maxSockets: 64, localAddress: CLIENT });
        await until(() => {
            if (child.exitCode !== null)
                throw new Error(`${kind} ended at once: ${proxy.logs()}`);
            return listens(proxy.port);
        }, `${kind} answers`);
        tools.started(proxy.dir);
        return proxy;
    }

    /** What it has written, whatever the file. */
    logs() {
        const files = readdirSync(this.dir).filter((name) => name.endsWith('.log'));
        return this.stderr + files.map((name) => readFileSync(path.join(this.dir, name), 'utf8')).join('');
    }

    request(method, target, options = {}) {
        return super.request(method, target, { ...options, headers: { host: HOST, ...options.headers } });
    }

    async close() {
        this.agent.destroy();
        process.kill(this.process.pid, kinds[this.kind].stop);
        const timer = setTimeout(() => this.process.kill('SIGKILL'), 5000);
        await this.exited;
        clearTimeout(timer);
    }
}

function listens(port) {
    return new Promise((resolve) => {
        const probe = net.connect(port, '127.0.0.1', () => {
            probe.destroy();
            resolve(true);
        });
        probe.once('error', () => resolve(false));
    });
}
