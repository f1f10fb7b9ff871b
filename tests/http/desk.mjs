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

const hidden = (page, name) => new RegExp(`name="${name}" value="([^"]+)"`).exec(page.text)?.[1];

/** What the page with the QR code sends back beside the code: the secret, and its seal. */
export const enrolment = (page) => ({ secret: hidden(page, 'secret'), seal: hidden(page, 'seal') });

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
    async tryLogin(name, password, code = '', headers = {}) {
        const form = formToken(await this.get('/admin/login'));
        return this.send('/admin/login', { form, name, password, code }, headers);
    }

    static async login(service, name = 'admin', password = PASSWORD, code = '') {
        const desk = new Desk(service);
        const answer = await desk.tryLogin(name, password, code);
        assert.equal(answer.status, 303, answer.text.replace(/^[^]*<main/, ""));
        assert.equal(answer.headers.location, '/admin');
        return desk;
    }
}

/** Whether the service lets X-Forwarded-For say who the client is: after a wrong password only the client waits. */
export async function believesForwarded(service) {
    const name = `asked-${Math.random()}`;
    const from = async (address) => (await new Desk(service).tryLogin(name, 'wrong wrong wrong', '', { 'x-forwarded-for': address })).status;
    assert.equal(await from('192.0.2.1'), 422);
    assert.equal(await from('192.0.2.1'), 429, 'the client itself waits');
    const other = await from('192.0.2.2');
    assert.ok([422, 429].includes(other), `${other}`);
    return other === 422;
}
