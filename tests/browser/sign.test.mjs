// What a signer sees and does in a browser on a phone, with and without JavaScript, in three
// languages: sign, read the codes, see the count, withdraw.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Service, findWithdrawCode, query } from '../http/harness.mjs';
import { assertNoSideways, launch, picture, showsCount, violations, visit } from './harness.mjs';

const SIGNERS = {
    en: { name: 'Anne Example', contact: 'anne@example.org', country: 'US' },
    fr: { name: 'Zoé Échantillon', contact: 'zoe@example.org', country: 'FR' },
    km: { name: 'សុខ សាន', contact: '០១២ ៣៤៥ ៦៧៨', country: 'KH' },
};
const PLAIN_CONTACTS = { en: 'anne.plain@example.org', fr: 'zoe.plain@example.org', km: '+855 12 999 888' };
const LANGS = Object.keys(SIGNERS);

let service;
let browser;
before(async () => {
    service = await Service.create();
    browser = await launch();
});
after(async () => {
    await browser?.close();
    await service?.close();
});

const signForm = (page) => page.locator('form[action$="/sign"]');
const submit = (page, form) => Promise.all([page.waitForNavigation(), form.locator('[type=submit]').click()]);

async function fill(page, { name, contact, country, visibility }) {
    const form = signForm(page);
    if (name !== undefined)
        await form.locator('[name=name]').fill(name);
    if (contact !== undefined)
        await form.locator('[name=contact]').fill(contact);
    if (country !== undefined)
        await form.locator('[name=country]').selectOption(country);
    if (visibility !== undefined)
        await form.locator(`[name=visibility][value=${visibility}]`).check();
}

/** The count as it is now, published or not. */
const exact = async () => (await query(service.dir, 'SELECT signatures FROM totals'))[0].signatures;

const open = (page, lang) => page.goto(`${service.origin}/${lang}`);

for (const lang of LANGS) {
    for (const script of [false, true]) {
        const how = `${lang}, JavaScript ${script ? 'on' : 'off'}`;
        // Each is somebody else, for the count to move.
        const fields = script ? SIGNERS[lang] : { ...SIGNERS[lang], contact: PLAIN_CONTACTS[lang] };

        test(`${how}: signing, from mistakes to the code, the count and the withdrawal`, async () => {
            await visit(browser, service, { script, lang }, async (page) => {
                const start = await exact();
                await open(page, lang);
                assert.equal(await page.locator('html').getAttribute('lang'), lang);
                await picture(page, `${lang}-${script ? 'script' : 'plain'}-petition`);

                // An empty form: a summary first, whose links lead to the fields.
                await submit(page, signForm(page));
                const links = page.locator('main a[href="#name"], main a[href="#contact"], [role=alert] a[href^="#"]');
                assert.ok(await links.count() >= 2);
                const link = page.locator('a[href="#name"]').first();
                await link.focus();
                assert.equal(await page.evaluate(() => document.activeElement.getAttribute('href')), '#name');
                await link.press('Enter');
                assert.equal(new URL(page.url()).hash, '#name');
                assert.equal(await page.evaluate(() => document.querySelector('#name').matches(':focus, :target')), true);
                await picture(page, `${lang}-${script ? 'script' : 'plain'}-errors`);

                // Mistakes in part: what was typed is kept.
                await fill(page, { name: fields.name, contact: 'not a contact', country: fields.country, visibility: 'public' });
                await submit(page, signForm(page));
                const form = signForm(page);
                assert.equal(await form.locator('[name=name]').inputValue(), fields.name);
                assert.equal(await form.locator('[name=contact]').inputValue(), 'not a contact');
                assert.equal(await form.locator('[name=country]').inputValue(), fields.country);
                assert.equal(await form.locator('[name=visibility][value=public]').isChecked(), true);
                assert.equal(await form.locator('[name=contact]').getAttribute('aria-invalid'), 'true');
                assert.notEqual(await form.locator('[name=name]').getAttribute('aria-invalid'), 'true');

                await fill(page, { contact: fields.contact });
                await submit(page, signForm(page));
                assert.match(page.url(), new RegExp(`/${lang}/thanks/`));
                const code = findWithdrawCode(await page.content());
                assert.ok(code, 'the thank-you page shows the withdrawal code');
                await picture(page, `${lang}-${script ? 'script' : 'plain'}-thanks`);

                await page.goto(`${service.origin}/${lang}`);
                await showsCount(page, start + 1);

                await page.goto(`${service.origin}/${lang}/withdraw`);
                await page.locator('[name=code]').fill(code.toLowerCase());
                await submit(page, page.locator('form[action$="/withdraw"]'));
                assert.equal(await page.locator('[aria-invalid=true]').count(), 0);
                await picture(page, `${lang}-${script ? 'script' : 'plain'}-withdrawn`);
                await page.goto(`${service.origin}/${lang}`);
                await showsCount(page, start);
            });
        });
    }

    test(`${lang}: no page violates WCAG 2.2 AA or scrolls sideways at 320 px`, async () => {
        await visit(browser, service, { lang }, async (page) => {
            const check = async (name) => {
                assert.deepEqual(await violations(page), [], name);
                await assertNoSideways(page, 320);
                await assertNoSideways(page, 360);
                await picture(page, `${lang}-check-${name}`);
            };
            await open(page, lang);
            await check('petition');
            await submit(page, signForm(page));
            await check('errors');
            await fill(page, { ...SIGNERS[lang], contact: `axe-${lang}@example.org`, visibility: 'addressees' });
            await submit(page, signForm(page));
            await check('thanks');
            const code = findWithdrawCode(await page.content());
            for (const name of ['withdraw', 'privacy', 'progress', 'receipt', 'verify', 'nothing']) {
                await page.goto(`${service.origin}/${lang}/${name}`);
                await check(name);
            }
            await page.goto(`${service.origin}/${lang}/withdraw`);
            await page.locator('[name=code]').fill('1-WRONG');
            await submit(page, page.locator('form[action$="/withdraw"]'));
            await check('withdraw-mistyped');
            await page.locator('[name=code]').fill(code);
            await submit(page, page.locator('form[action$="/withdraw"]'));
            await check('withdraw-done');
        });
    });
}

test('Khmer has a line height of 1.8 wherever text runs', async () => {
    await visit(browser, service, { lang: 'km' }, async (page) => {
        for (const name of ['', '/privacy', '/withdraw']) {
            await page.goto(`${service.origin}/km${name}`);
            const ratios = await page.evaluate(() => [...document.querySelectorAll('body, main p, main li, main label')]
                .filter((element) => /[\u1780-\u17ff]/.test(element.textContent))
                .map((element) => {
                    const style = getComputedStyle(element);
                    return parseFloat(style.lineHeight) / parseFloat(style.fontSize);
                }));
            assert.ok(ratios.length > 1);
            for (const ratio of ratios)
                assert.ok(ratio >= 1.79, `${ratio}`);
        }
    });
});

test('the language switch leads to the same page in the other languages', async () => {
    await visit(browser, service, { script: false }, async (page) => {
        for (const name of ['', '/privacy', '/withdraw', '/progress', '/receipt', '/verify']) {
            await page.goto(`${service.origin}/en${name}`);
            for (const lang of ['km', 'fr']) {
                const link = page.locator(`a[href$="/${lang}${name}"][hreflang=${lang}], a[href$="/${lang}${name}"][lang=${lang}]`);
                assert.ok(await link.count() >= 1, `${name} in ${lang}`);
            }
        }
    });
});

test('everything can be reached and done by keyboard', async () => {
    await visit(browser, service, { script: false }, async (page) => {
        await page.goto(`${service.origin}/en`);
        await page.keyboard.press('Tab');
        assert.match(await page.evaluate(() => document.activeElement.getAttribute('href') ?? ''), /^#/, 'a skip link comes first');
        const start = await exact();
        await page.locator('[name=name]').focus();
        await page.keyboard.type('Keyboard Only');
        await page.keyboard.press('Tab');
        for (let i = 0; i < 3 && !await page.evaluate(() => document.activeElement.name === 'contact'); i++)
            await page.keyboard.press('Tab');
        await page.keyboard.type('keyboard@example.org');
        await page.locator('[name=country]').selectOption('KH');
        await page.locator('[name=visibility]').first().check();
        await page.locator('[name=contact]').focus();
        await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')]);
        assert.match(page.url(), /\/en\/thanks\//);
        await page.goto(`${service.origin}/en`);
        await showsCount(page, start + 1);
    });
});
