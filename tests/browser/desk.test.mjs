// The desk in a real browser: an organiser's whole way, without scripts, and every page by axe.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { PASSWORD, totp } from '../http/desk.mjs';
import { Service, signer } from '../http/harness.mjs';
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

async function login(page, code = '') {
    await page.goto(`${service.origin}/admin`);
    await page.getByLabel('Name').fill('admin');
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByLabel('One-time code').fill(code);
    await button(page, 'Log in').click();
    await page.waitForURL(`${service.origin}/admin`);
}

test('without scripts: log in, deliver, hand over, find and remove', async () => {
    await visit(browser, service, { script: false }, async (page) => {
        await login(page);
        await page.getByRole('link', { name: 'Deliveries', exact: true }).click();
        await button(page, 'Start the delivery now').click();
        await page.getByText('ready', { exact: true }).waitFor(); // the page comes again by itself
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

test('a letter is shown with its own style under the policy', async () => {
    await visit(browser, service, {}, async (page) => {
        await login(page);
        await page.goto(`${service.origin}/admin/letters/1/3-fr`);
        assert.match(await page.locator('body').innerText(), /\b4\b/);
        assert.equal(await page.evaluate(() => getComputedStyle(document.querySelector('h1')).fontWeight), '700');
        assert.ok((await page.evaluate(() => getComputedStyle(document.documentElement).fontFamily)).includes('Serif'));
    });
});

for (const lang of ['en', 'fr', 'km'])
    test(`axe finds nothing on any page of the desk, narrow or wide, nothing sticks out: ${lang}`, async () => {
        for (const viewport of [PHONE, WIDE])
            await visit(browser, service, { viewport }, async (page) => {
                const check = async (what) => {
                    assert.deepEqual(await violations(page), [], what);
                    const [content, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
                    assert.ok(content <= screen, `${what}: ${content} px wide`);
                    if (process.env.PETITION_PICTURES)
                        await page.screenshot({ path: `${process.env.PETITION_PICTURES}/${lang}-${viewport.width}${what.replaceAll('/', '_')}.png`, fullPage: true });
                };
                await page.goto(`${service.origin}/admin/login?lang=${lang}`);
                await check('/admin/login');
                await login(page);
                await page.goto(`${service.origin}/admin?lang=${lang}`);
                for (const path of PAGES) {
                    await page.goto(`${service.origin}${path}`);
                    assert.equal(await page.locator('html').getAttribute('lang'), lang);
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
            });
    });

test('one-time codes: scan, confirm, keep the recovery codes, log in with the next code', async () => {
    await visit(browser, service, { script: false }, async (page) => {
        await login(page);
        await page.getByRole('link', { name: 'My account' }).click();
        await page.locator('#password-on').fill(PASSWORD);
        await button(page, 'Turn them on').click();
        const secret = (await page.locator('main code').textContent()).trim();
        await page.getByLabel('The six digits').fill(totp(secret));
        await button(page, 'Turn codes on').click();
        assert.equal(await page.locator('main code').count(), 10);
        await button(page, 'Log out').click();
        await login(page, totp(secret, 1));
        await page.goto(`${service.origin}/admin/account`);
        await page.getByText('Recovery codes left: 10.').waitFor();
    });
});
