// The desk in a real browser: an organiser's whole way, without scripts, and every page by axe.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Desk, PASSWORD, totp } from '../http/desk.mjs';
import { Service, scratch, signer, until } from '../http/harness.mjs';
import { PHONE, launch, visit, violations } from './harness.mjs';

const WIDE = { width: 1200, height: 900 };
const PAGES = ['/admin', '/admin/deliveries', '/admin/deliveries/1', '/admin/deliveries/1/handover/1',
    '/admin/deliveries/1/complete', '/admin/letters', '/admin/find', '/admin/paper', '/admin/exports', '/admin/audit',
    '/admin/organisers', '/admin/account', '/admin/deliveries/99'];

let service;
let browser;
before(async () => {
    service = await Service.create({ settings: { count_step: 1, publish_min: 1 } });
    await service.organiser('admin', PASSWORD);
    browser = await launch();
    for (let i = 0; i < 5; i++)
        await service.sign(signer(i, { visibility: i % 2 ? 'public' : 'private' }));
});
after(async () => {
    await browser?.close();
    await service?.close();
});

const button = (page, name) => page.getByRole('button', { name, exact: true });

async function login(page, code = '', at = service) {
    await page.goto(`${at.origin}/admin`);
    await page.getByLabel('Name').fill('admin');
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByLabel('One-time code').fill(code);
    await button(page, 'Log in').click();
    await page.waitForURL(`${at.origin}/admin`);
}

test('without scripts: log in, deliver, hand over, find and remove', async () => {
    await visit(browser, service, { script: false }, async (page) => {
        await login(page);
        await page.getByRole('link', { name: 'Deliveries', exact: true }).click();
        await button(page, 'Start the delivery now').click();
        await until(async () => {
            if (await page.getByText('ready', { exact: true }).count() === 1)
                return true;
            await page.getByRole('link', { name: 'Show how far it is now' }).click();
            return false;
        }, 'the delivery is ready');
        await page.getByRole('link', { name: 'Record the hand-over to addressee 3' }).click();
        await page.getByLabel('Note').fill('to the reception');
        await button(page, 'Record it').click();
        await page.getByText(/Handed over on .* – to the reception/).waitFor();

        await page.getByRole('link', { name: 'Find', exact: true }).click();
        await page.getByLabel('Code of the receipt').fill('1');
        await button(page, 'Find').click();
        await page.getByLabel('it was a test').check();
        await button(page, 'Show what would happen').click();
        await page.getByText('from 5 to 4').waitFor();
        await button(page, 'Remove for good').click();
        await page.getByText('The signature is removed.').waitFor();
        await page.getByRole('link', { name: 'Overview', exact: true }).click();
        assert.equal(await page.locator('.count strong').textContent(), '4');
        await button(page, 'Log out').click();
        await page.getByText('You are logged out.').waitFor();
        await page.goto(`${service.origin}/admin`);
        assert.equal(new URL(page.url()).pathname, '/admin/login');
    });
});

test('without scripts: choose a file of paper rows, check it, mend it, bring it in', async () => {
    await visit(browser, service, { script: false, viewport: PHONE }, async (page) => {
        const file = (name, text) => ({ name, mimeType: 'text/csv', buffer: Buffer.from(text) });
        const choose = (chosen) => page.getByLabel('The file with the rows').setInputFiles(chosen);
        await login(page);
        await page.getByRole('link', { name: 'Paper sheets', exact: true }).click();
        await button(page, 'Check the file').click();
        assert.equal(new URL(page.url()).pathname, '/admin/paper', 'the browser asks for a file');
        await page.locator('#file').evaluate((field) => field.removeAttribute('required'));
        await button(page, 'Check the file').click();
        await page.getByRole('link', { name: 'Choose the file with the rows.' }).click();
        assert.ok(await page.locator('#file').evaluate((field) => field === document.activeElement));
        await choose(file('ក្រដាស \"1\".csv', 'name,country\nសុខ ដារ៉ា,KH\nB,XX\n'));
        await page.locator('#file-label').fill('Box 5');
        await button(page, 'Check the file').click();
        await page.getByText('Wrong rows: 1 of 2.').waitFor();
        assert.equal(await page.locator('#csv').inputValue(), 'name,country\nសុខ ដារ៉ា,KH\nB,XX\n');
        assert.equal(await page.locator('#file-label').inputValue(), 'Box 5');
        await choose(file('2.csv', '\uFEFFname,country\r\nសុខ ដារ៉ា,KH\r\n'));
        await button(page, 'Check the file').click();
        await page.getByText('Rows: 1. All of them are correct.').waitFor();
        await button(page, 'Bring in the rows: 1').click();
        await page.getByText('The batch is in.').waitFor();
        await page.getByRole('heading', { name: /^Batch \d+ – Box 5$/ }).waitFor();
        await page.getByRole('link', { name: /^Remove batch/ }).first().click();
        await page.getByLabel('it was a test').check();
        await button(page, 'Remove the rows: 1').click();
        await page.getByText('The batch is removed.').waitFor();
    });
});

test('a letter is shown with its own style under the policy', async () => {
    await visit(browser, service, {}, async (page) => {
        await login(page);
        await page.goto(`${service.origin}/admin/letters/1/3-fr`);
        assert.match(await page.locator('body').innerText(), /\b4\b/);
        assert.equal(await page.evaluate(() => getComputedStyle(document.querySelector('h1')).fontWeight), '700');
        assert.ok((await page.evaluate(() => getComputedStyle(document.documentElement).fontFamily)).includes('Serif'));
    });
});

async function assertAccessible(page, what) {
    assert.deepEqual(await violations(page), [], what);
    const [content, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(content <= screen, `${what}: ${content} px wide`);
    if (process.env.PETITION_PICTURES) {
        const lang = await page.locator('html').getAttribute('lang');
        await page.screenshot({ path: `${process.env.PETITION_PICTURES}/${lang}-${screen}${what.replaceAll('/', '_')}.png`, fullPage: true });
    }
}

for (const lang of ['en', 'fr', 'km'])
    test(`axe finds nothing on any page of the desk, narrow or wide, nothing sticks out: ${lang}`, async () => {
        for (const viewport of [PHONE, WIDE])
            await visit(browser, service, { viewport }, async (page) => {
                const check = (what) => assertAccessible(page, what);
                await page.goto(`${service.origin}/admin/login?lang=${lang}`);
                await check('/admin/login');
                await login(page);
                await page.goto(`${service.origin}/admin?lang=${lang}`);
                for (const path of PAGES) {
                    await page.goto(`${service.origin}${path}`);
                    assert.equal(await page.locator('html').getAttribute('lang'), lang);
                    await page.evaluate(() => document.querySelectorAll('details').forEach((part) => {
                        part.open = true;
                    }));
                    await check(path);
                }
                await page.goto(`${service.origin}/admin/find`);
                await page.locator('#code').fill('2');
                await page.locator('main button').last().click();
                await page.locator('#why-fraud').waitFor();
                await check('/found');
                await page.locator('#why-fraud').check();
                await page.locator('main form button').first().click();
                await page.waitForURL('**/admin/void/preview');
                await check('/void');
                for (const chosen of [[], { name: 'a.csv', mimeType: 'text/csv', buffer: Buffer.from('name,country\nB\xE9,KH', 'latin1') }]) {
                    await page.goto(`${service.origin}/admin/paper`);
                    await page.locator('#file').evaluate((field) => field.removeAttribute('required'));
                    await page.locator('#file').setInputFiles(chosen);
                    await page.locator('main button').first().click();
                    await page.waitForURL('**/admin/paper/check');
                    await check('/paper-file');
                }
                for (const rows of ['name,country\nA,KH\nB,\nwww.example.org,KH', 'name,country\nA,KH\nB,FR']) {
                    await page.goto(`${service.origin}/admin/paper`);
                    await page.locator('#csv').fill(rows);
                    await page.locator('main button').last().click();
                    await page.waitForURL('**/admin/paper/check');
                    await check('/paper-check');
                }
                await page.locator('main form button').first().click();
                await page.waitForURL('**/admin/paper?said=paper_in');
                await page.locator('main a[href$="/remove"]').first().click();
                await page.locator('#why-test').check();
                await check('/paper-remove');
                await page.locator('main form button').first().click();
                await page.waitForURL('**/admin/paper?said=paper_out');
                await check('/paper');
                await page.goto(`${service.origin}/admin/account`);
                await page.locator('#password-on').fill(PASSWORD);
                await page.locator('main form button').first().click();
                await page.waitForURL('**/admin/account/totp');
                await check('/totp');
                const problem = async (what) => {
                    await page.locator('.bad .error').first().waitFor();
                    await check(what);
                };
                await page.locator('#code').fill('no code');
                await page.locator('main form button').first().click();
                await problem('/totp-wrong');
                await page.goto(`${service.origin}/admin/deliveries/1/handover/1`);
                await page.locator('#note').evaluate((field) => {
                    field.value = 'x '.repeat(300);
                });
                await page.locator('main form button').first().click();
                await problem('/handover-wrong');
                await page.goto(`${service.origin}/admin/organisers`);
                await page.locator('#name').fill('a b');
                await page.locator('#new').fill(PASSWORD);
                await page.locator('#own').fill(PASSWORD);
                await page.locator('main form button').last().click();
                await problem('/organisers-wrong');
                await page.goto(`${service.origin}/admin/paper`);
                await page.locator('#label').fill('x'.repeat(201));
                await page.locator('#csv').fill('name,country\nA,KH');
                await page.locator('main button').last().click();
                await page.locator('main [role=alert]').waitFor();
                await check('/paper-refused');
            });
    });

test('one-time codes: scan, confirm, keep the recovery codes, log in with the next code', async () => {
    await visit(browser, service, { script: false }, async (page) => {
        await login(page);
        await page.getByRole('link', { name: 'My account' }).click();
        await page.locator('#password-on').fill(PASSWORD);
        await button(page, 'Turn them on').click();
        const secret = (await page.locator('main code').textContent()).trim();
        const picture = await page.locator('main svg').innerHTML();
        await page.getByLabel('The six digits').fill('no code');
        await button(page, 'Turn codes on').click();
        assert.match(await page.title(), /^Error: /);
        await page.getByRole('alert').getByRole('link', { name: /^This code is not right/ }).click();
        assert.equal(await page.evaluate(() => document.activeElement.id), 'code');
        assert.match(await page.locator('#code-error').textContent(), /the code that the app shows now/);
        assert.equal((await page.locator('main code').textContent()).trim(), secret, 'what the phone has scanned');
        assert.equal(await page.locator('main svg').innerHTML(), picture);
        await page.getByLabel('The six digits').fill(totp(secret));
        await button(page, 'Turn codes on').click();
        assert.equal(await page.locator('main code').count(), 10);
        await button(page, 'Log out').click();
        await login(page, totp(secret, 1));
        await page.goto(`${service.origin}/admin/account`);
        await page.getByText('Recovery codes left: 10.').waitFor();
    });
});

/** A service of its own, where `use(other, desk)` finds nobody's signature. */
async function withEmpty(use) {
    const other = await Service.create();
    try {
        await other.organiser('admin', PASSWORD);
        await use(other, await Desk.login(other));
    } finally {
        await other.close();
    }
}

test('axe finds nothing on the empty overview, the recovery codes and the account that has them, in three languages, narrow or wide', async () => {
    await withEmpty(async (other) => {
        let last;
        for (const lang of ['en', 'fr', 'km'])
            for (const viewport of [PHONE, WIDE])
                await visit(browser, other, { viewport }, async (page) => {
                    await login(page, '', other);
                    await page.goto(`${other.origin}/admin?lang=${lang}`);
                    assert.equal(await page.locator('.count strong').textContent(), '0');
                    assert.equal(await page.locator('svg').count(), 0);
                    await assertAccessible(page, '/empty');
                    await page.goto(`${other.origin}/admin/account`);
                    await page.locator('#password-on').fill(PASSWORD);
                    await page.locator('main form button').first().click();
                    await page.waitForURL('**/admin/account/totp');
                    await page.locator('#code').fill(totp((await page.locator('main code').textContent()).trim()));
                    await page.locator('main form button').first().click();
                    await page.waitForURL('**/admin/account/totp/confirm');
                    const codes = await page.locator('main code').allTextContents();
                    assert.equal(new Set(codes).size, 10);
                    assert.notDeepEqual(codes, last);
                    last = codes;
                    assert.equal(await page.locator('html').getAttribute('lang'), lang);
                    await assertAccessible(page, '/recovery');
                    await page.goto(`${other.origin}/admin/account`);
                    await assertAccessible(page, '/codes-on');
                    await page.locator('#password-off').fill(PASSWORD);
                    await page.locator('form[action$="/totp/off"] button').click();
                    await page.waitForURL('**/admin/account?said=*');
                });
    });
});

test('axe finds nothing on a running delivery, in three languages, narrow or wide; it goes on in another browser', async () => {
    await withEmpty(async (other, desk) => {
        const sheet = path.join(scratch(), 'sheet.csv');
        writeFileSync(sheet, `name,country,visibility\n${'Somebody of some name,KH,public\n'.repeat(50_000)}`);
        await other.succeed(['import', sheet]);
        const place = (await desk.post('/admin/deliveries')).headers.location.split('?')[0];
        // Each language's page as it came while the delivery was running: axe takes longer than that.
        const running = {};
        for (const lang of ['en', 'fr', 'km'])
            await until(async () => {
                running[lang] = await desk.get(`${place}?lang=${lang}`);
                assert.match(running[lang].text, /<progress/, 'it is running');
                return true;
            }, 'a running delivery');
        await visit(browser, other, {}, async (page) => {
            await login(page, '', other);
            await page.goto(`${other.origin}${place}`);
            const shown = await page.locator('progress').getAttribute('value');
            assert.ok(Number(shown) >= Number(/<progress[^>]* value="(\d+)"/.exec(running.km.text)[1]), 'no less than elsewhere');
            await until(async () => {
                await page.reload();
                return await page.locator('progress').count() === 0;
            }, 'it is done', 60_000, 500);
            assert.equal(await page.locator('ol.people li').count(), 19);
        });
        for (const lang of ['en', 'fr', 'km'])
            for (const viewport of [PHONE, WIDE])
                await visit(browser, other, { viewport, script: true }, async (page) => {
                    await page.route(`**${place}`, (route) => route.fulfill({ status: 200, body: running[lang].text,
                        headers: { 'content-type': running[lang].headers['content-type'],
                            'content-security-policy': running[lang].headers['content-security-policy'] } }));
                    await page.goto(`${other.origin}${place}`);
                    assert.equal(await page.locator('html').getAttribute('lang'), lang);
                    assert.equal(await page.locator('progress').count(), 1);
                    await assertAccessible(page, '/running');
                });
    });
});

test('axe finds nothing on a refused log-in or act, or a completed delivery, in three languages, narrow or wide', async () => {
    await withEmpty(async (other, desk) => {
        await other.sign(signer(1, { visibility: 'public' }));
        const place = (await desk.post('/admin/deliveries')).headers.location.split('?')[0];
        await until(async () => (await desk.get(place)).text.includes('ready</strong>'), 'the delivery is ready');
        assert.equal((await desk.post(`${place}/complete`, { sure: 'yes' })).status, 303);
        await visit(browser, other, {}, async (page) => {
            const check = async (lang, what) => {
                assert.equal(await page.locator('html').getAttribute('lang'), lang);
                for (const viewport of [PHONE, WIDE]) {
                    await page.setViewportSize(viewport);
                    await assertAccessible(page, what);
                }
            };
            /** Fills and sends the form of an address until the answer has that status. */
            const refused = (status, address, fields, form) => until(async () => {
                await page.goto(`${other.origin}${address}`);
                for (const [id, typed] of Object.entries(fields))
                    await page.locator(`#${id}`).fill(typed);
                const answer = page.waitForResponse((response) => response.request().method() === 'POST');
                await page.locator(`form[action^="${form}"] button`).click();
                const got = (await answer).status();
                await page.waitForLoadState();
                return got === status;
            }, `${address} answers ${status}`, 60_000);
            const languages = ['en', 'fr', 'km'];
            // The waiting comes first: it is over, or nearly, when its page has been looked at.
            for (const lang of languages)
                for (const status of [429, 422]) {
                    await refused(status, `/admin/login?lang=${lang}`, { name: `nobody-${lang}`, password: 'wrong wrong wrong' }, '/admin/login');
                    assert.equal(await page.locator('[role=alert]').count(), 1);
                    await check(lang, `/login-${status}`);
                }
            await login(page, '', other);
            for (const lang of languages) {
                for (const status of [429, 422]) {
                    await refused(status, `/admin/account?lang=${lang}`, { 'password-on': 'wrong wrong wrong' }, '/admin/account/totp');
                    assert.equal(await page.locator('[role=alert]').count(), 1);
                    await check(lang, `/refused-${status}`);
                }
                await page.goto(`${other.origin}${place}`);
                assert.equal(await page.locator('main a[href$=".zip"]:not([href$="all.zip"])').count(), 1, 'all but one are deleted');
                await check(lang, '/completed');
            }
        });
    });
});
