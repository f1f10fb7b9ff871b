// What a signer does after signing, in a browser without JavaScript, on a phone: the page that looks
// again by itself, the full receipt in two steps, the answer for those at risk, and looking a receipt
// up; in three languages, by the rules of WCAG 2.2 AA.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { Service, findWithdrawCode } from '../http/harness.mjs';
import { assertNoSideways, launch, picture, violations, visit } from './harness.mjs';

const LANGS = ['en', 'fr', 'km'];
const DESKTOP = { width: 1280, height: 900 };

let service;
let browser;
before(async () => {
    service = await Service.create({ settings: { publish_every: 3 } });
    browser = await launch();
});
after(async () => {
    await browser?.close();
    await service?.close();
});

const submit = (page, form) => Promise.all([page.waitForNavigation(), form.locator('[type=submit]').click()]);

async function sign(page, lang, contact, risk = false) {
    await page.goto(`${service.origin}/${lang}`);
    const form = page.locator('form[action$="/sign"]');
    await form.locator('[name=name]').fill('សុខ សាន');
    await form.locator('[name=contact]').fill(contact);
    await form.locator('[name=country]').selectOption('KH');
    if (risk)
        await form.locator('[name=risk]').check();
    await submit(page, form);
}

async function check(page, lang, name) {
    // axe needs scripts, which work through the debugger although the page itself has none.
    assert.deepEqual(await violations(page), [], `${lang} ${name}`);
    await assertNoSideways(page, 320);
    await picture(page, `${lang}-${name}`);
    await page.setViewportSize(DESKTOP);
    await picture(page, `${lang}-${name}-desktop`);
    await page.setViewportSize({ width: 360, height: 740 });
}

/** The content of what a click downloads. */
async function downloaded(page, button) {
    const [download] = await Promise.all([page.waitForEvent('download'), button.click()]);
    return { name: download.suggestedFilename(), text: readFileSync(await download.path(), 'utf8') };
}

for (const lang of LANGS) {
    test(`${lang}: the page looks again by itself, then the receipt is saved in a second step and found again`, async () => {
        await visit(browser, service, { script: false, lang }, async (page) => {
            await sign(page, lang, `saver-${lang}@example.org`);
            const address = page.url();
            const code = findWithdrawCode(await page.content());
            assert.equal(await page.locator('form[action$="/receipt/save"]').count(), 0, 'not published yet');
            await picture(page, `${lang}-waiting`);
            // Without a script and without a click.
            await page.locator('form[action$="/receipt/save"]').waitFor({ timeout: 40_000 });
            assert.equal(page.url(), address);
            assert.equal(findWithdrawCode(await page.content()), code);
            await picture(page, `${lang}-thanks-published`);
            await submit(page, page.locator('form[action$="/receipt/save"]'));
            await picture(page, `${lang}-save`);
            const buttons = page.locator('main form button');
            assert.equal(await buttons.count(), 2);
            const proof = await downloaded(page, buttons.nth(0));
            assert.equal(proof.name, 'petition-receipt.tlog-proof');
            const opening = await downloaded(page, buttons.nth(1));
            assert.equal(opening.name, 'petition-receipt.opening.json');
            assert.equal(JSON.parse(opening.text).contact, `saver-${lang}@example.org`);
            await page.goto(`${service.origin}/${lang}/receipt`);
            await page.locator('[name=receipt]').fill(proof.text);
            await submit(page, page.locator('form[action$="/receipt"]'));
            assert.equal(await page.locator('[role=status]').count(), 1);
            assert.equal(await page.locator('dd').first().innerText(), String(JSON.parse(opening.text).index));
        });
    });

    test(`${lang}: at risk, nothing leads back: no address of the codes, none in the history, none in what is kept`, async () => {
        await visit(browser, service, { script: false, lang }, async (page) => {
            await sign(page, lang, `risk-${lang}@example.org`, true);
            assert.equal(page.url(), `${service.origin}/${lang}/sign`);
            const code = findWithdrawCode(await page.content());
            assert.ok(code);
            await picture(page, `${lang}-risk`);
            assert.equal(await page.locator('form').count(), 0);
            for (const href of await page.locator('a').evaluateAll((links) => links.map((link) => link.getAttribute('href'))))
                assert.ok(!/thanks|save/.test(href), href);
            // Whoever opens what the history shows finds no code.
            await page.goto(`${service.origin}/${lang}/sign`);
            assert.equal(findWithdrawCode(await page.content()), undefined);
            await page.goto(`${service.origin}/${lang}/withdraw`);
            await page.locator('[name=code]').fill(code);
            await submit(page, page.locator('form[action$="/withdraw"]'));
            assert.equal(await page.locator('[aria-invalid=true]').count(), 0);
        });
    });

    test(`${lang}: no page about receipts violates WCAG 2.2 AA or scrolls sideways at 320 px`, async () => {
        await visit(browser, service, { lang }, async (page) => {
            await sign(page, lang, `axe-${lang}@example.org`);
            await check(page, lang, 'check-waiting');
            const code = await page.locator('dd code').first().innerText();
            await page.locator('a[href$="still=1"]').click();
            await page.waitForURL('**still=1');
            await check(page, lang, 'check-still');
            await service.published(Number(code.split('-')[0]) + 1);
            await page.reload();
            await check(page, lang, 'check-published');
            await submit(page, page.locator('form[action$="/receipt/save"]'));
            await check(page, lang, 'check-save');
            for (const [typed, name] of [[code, 'found'], ['', 'missing'], ['{"r2":1}', 'private'], [`${code.slice(0, -1)}U`, 'malformed']]) {
                await page.goto(`${service.origin}/${lang}/receipt`);
                await page.locator('[name=receipt]').fill(typed);
                await submit(page, page.locator('form[action$="/receipt"]'));
                await check(page, lang, `check-receipt-${name}`);
            }
            await page.goto(`${service.origin}/${lang}/verify`);
            await check(page, lang, 'check-verify');
            await sign(page, lang, `axe-risk-${lang}@example.org`, true);
            await check(page, lang, 'check-risk');
        });
    });
}
