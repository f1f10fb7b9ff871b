// An organiser at the desk, as a browser would be: cookies are kept, every POST carries the form
// token of the page it comes from. And one-time codes, computed independently of the server.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';

export const PASSWORD = 'a long enough password';

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** RFC 6238: the six digits of a base32 secret, `shift` steps from now. */
export function totp(secret, shift = 0) {
    const bits = [...secret].map((digit) => BASE32.indexOf(digit).toString(2).padStart(5, '0')).join('');
    const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
    const counter = Buffer.alloc(8);
    counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + shift));
    const mac = createHmac('sha1', key).update(counter).digest();
    const at = mac[19] & 15;
    return String((mac.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

export const formToken = (page) => /name="form" value="([^"]+)"/.exec(page.text)?.[1];

export class Desk {
    constructor(service) {
        this.service = service;
        this.jar = new Map();
    }

    get cookie() {
        return [...this.jar].map(([name, value]) => `${name}=${value}`).join('; ');
    }

    #keep(answer) {
        for (const line of answer.headers['set-cookie'] ?? []) {
            const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
            if (value)
                this.jar.set(name, value);
            else
                this.jar.delete(name);
        }
        return answer;
    }

    async get(path, headers = {}) {
        return this.#keep(await this.service.get(path, { cookie: this.cookie, ...headers }));
    }

    async send(path, fields, headers = {}) {
        return this.#keep(await this.service.form(path, fields, { cookie: this.cookie, ...headers }));
    }

    /** Posts with the token of the session's pages. */
    async post(path, fields = {}) {
        const form = formToken(await this.get('/admin/account'));
        return this.send(path, { form, ...fields });
    }

    /** The answer to a log-in. */
    async tryLogin(name, password, code = '') {
        const form = formToken(await this.get('/admin/login'));
        return this.send('/admin/login', { form, name, password, code });
    }

    static async login(service, name = 'admin', password = PASSWORD, code = '') {
        const desk = new Desk(service);
        const answer = await desk.tryLogin(name, password, code);
        assert.equal(answer.status, 303, answer.text.replace(/^[^]*<main/, ""));
        assert.equal(answer.headers.location, '/admin');
        return desk;
    }
}
