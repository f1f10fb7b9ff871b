/*
 * db_sql: every SQL statement of the program but the schema's, in one table. db.c prepares them all
 * when a connection opens; the files of the database name them by enum sql.
 */
#include "db_internal.h"

const char *const db_sql[SQL__COUNT] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_BEGIN_READ] = "BEGIN",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    /* What it has been since the file was made (schema.sql); yet the first page is written. */
    [SQL_TOUCH] = "PRAGMA application_id = 1346720817",
    [SQL_LOG_SIZE] = "SELECT ifnull(max(idx) + 1, 0) FROM log_entry",
    [SQL_LOG_APPEND] = "INSERT INTO log_entry(idx, body) VALUES(?1, ?2)",
    [SQL_LOG_ENTRY] = "SELECT body FROM log_entry WHERE idx = ?1",
    [SQL_LOG_ENTRIES] = "SELECT body FROM log_entry WHERE idx >= ?1 ORDER BY idx LIMIT ?2",
    [SQL_TILE_ADD] = "INSERT INTO log_tile(level, n, hashes) VALUES(?1, ?2, ?3)",
    [SQL_TILE_GET] = "SELECT hashes FROM log_tile WHERE level = ?1 AND n = ?2",
    [SQL_TILE_COUNT] = "SELECT ifnull(max(n) + 1, 0) FROM log_tile WHERE level = ?1",
    [SQL_CHECKPOINT_ADD] = "INSERT INTO log_checkpoint(size, note) VALUES(?1, ?2)",
    [SQL_CHECKPOINT_LAST] = "SELECT size, note FROM log_checkpoint ORDER BY size DESC LIMIT 1",
    [SQL_CHECKPOINT_COVERING] = "SELECT size FROM log_checkpoint WHERE size > ?1"
                                " ORDER BY size LIMIT 1",
    [SQL_LOG_END_ADD] = "INSERT INTO log_end(idx, entry) VALUES(?1, ?2)",
    [SQL_LOG_END_GET] = "SELECT e.idx, e.body FROM log_end AS x JOIN log_entry AS e"
                        " ON e.idx = x.entry WHERE x.idx = ?1",
    [SQL_LOG_DELIVERY_ADD] = "INSERT INTO log_delivery(n, size, entry) VALUES(?1, ?2, ?3)",
    [SQL_LOG_DELIVERIES] = "SELECT n, size FROM log_delivery WHERE n > ?1 AND entry < ?2"
                           " ORDER BY n LIMIT 1",
    /* The length, which needs no more than the row's head, leaves few rows to look into. */
    [SQL_LOG_TEXTS] = "SELECT idx FROM log_entry WHERE length(body) <> 120"
                      " AND substr(body, 1, 17) = CAST('{\"v\":1,\"t\":\"text\"' AS BLOB)"
                      " ORDER BY idx LIMIT ?1",
    /* No sign entry follows a close entry, so it stands behind the last submission. */
    [SQL_CLOSE_FIND] =
        "SELECT idx FROM log_entry"
        " WHERE idx > (SELECT ifnull(max(idx), 0) FROM submission)"
        " AND substr(body, 1, 18) = CAST('{\"v\":1,\"t\":\"close\"' AS BLOB) LIMIT 1",
    [SQL_CLOSE_TAGS] = "SELECT idx, tag FROM submission WHERE idx > ?1 AND tag IS NOT NULL"
                       " ORDER BY idx LIMIT ?2",
    [SQL_CLOSE_REGROUP] = "UPDATE submission SET tag = ?2 WHERE idx = ?1",
    [SQL_CLOSE_SIGNERS] = "SELECT head, live, confirmed FROM signer_row",
    [SQL_CLOSE_CLEAR] = "DELETE FROM signer_row",
    [SQL_CLOSE_SIGNER] = "INSERT INTO signer_row(head, live, confirmed) VALUES(?1, ?2, ?3)",
    [SQL_TOTALS_START] = "INSERT INTO totals VALUES(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)",
    [SQL_TOTALS_READ] =
        "SELECT text_idx, live, signatures, confirmed, withdrawn, void_request, void_duplicate,"
        " void_fraud, void_test, void_lost, shown_count, jitter_count, shown_confirmed,"
        " jitter_confirmed FROM totals",
    [SQL_TOTALS_WRITE] =
        "UPDATE totals SET text_idx = ?1, live = ?2, signatures = ?3, confirmed = ?4,"
        " withdrawn = ?5, void_request = ?6, void_duplicate = ?7, void_fraud = ?8, void_test = ?9,"
        " void_lost = ?10, shown_count = ?11, jitter_count = ?12, shown_confirmed = ?13,"
        " jitter_confirmed = ?14",
    /* CHECK(n >= 0) is tried on the row to insert before the conflict is seen; hence max(). */
    [SQL_TALLY_ADD] = "INSERT INTO tally(day, country, tier, n) VALUES(?1, ?2, ?3, max(?4, 0))"
                      " ON CONFLICT DO UPDATE SET n = n + ?4",
    [SQL_TALLY_COUNTRY] = "SELECT country, sum(n) AS s FROM tally WHERE day < ?1 GROUP BY country"
                          " HAVING s > 0 ORDER BY country",
    [SQL_TALLY_DAY] = "SELECT day, sum(n) AS s FROM tally WHERE day < ?1 GROUP BY day"
                      " HAVING s > 0 ORDER BY day",
    [SQL_TALLY_TIER] = "SELECT tier, sum(n) AS s FROM tally WHERE day < ?1 GROUP BY tier"
                       " HAVING s > 0 ORDER BY tier",
    [SQL_TALLY_ALL] = "SELECT country, tier, day, n FROM tally WHERE n > 0"
                      " ORDER BY country, tier, day",
    [SQL_SUBMISSION_ADD] =
        "INSERT INTO submission(idx, tag, tier, visibility, country, day, name, opening, sealed,"
        " batch) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, nullif(?10, 0))",
    [SQL_SUBMISSION_GET] =
        "SELECT tag, tier, country, day, ifnull(batch, 0) FROM submission WHERE idx = ?1",
    [SQL_SUBMISSION_ERASE] = "UPDATE submission SET tag = NULL, name = NULL, opening = NULL,"
                             " sealed = NULL WHERE idx = ?1",
    [SQL_SUBMISSION_SHOW] = "SELECT s.tag IS NOT NULL, s.tier, s.visibility, s.country, s.day,"
                            " s.name, s.batch, e.body FROM submission AS s"
                            " JOIN log_entry AS e ON e.idx = s.idx WHERE s.idx = ?1",
    [SQL_SUBMISSION_NAMED] = "SELECT count(*) FROM submission"
                             " WHERE tag IS NOT NULL AND visibility > 0",
    [SQL_SUBMISSION_ROWS] =
        "SELECT s.idx, s.tier, s.visibility, s.country, s.day, s.name, s.opening, s.sealed, e.body"
        " FROM submission AS s JOIN log_entry AS e ON e.idx = s.idx"
        " WHERE s.idx >= ?1 AND s.tag IS NOT NULL ORDER BY s.idx",
    [SQL_SIGNER_ADD] = "INSERT INTO signer_row(head, live, confirmed) VALUES(?1, ?2, ?3)"
                       " ON CONFLICT DO UPDATE SET live = live + excluded.live,"
                       " confirmed = confirmed + excluded.confirmed",
    [SQL_SIGNER_GET] = "SELECT live, confirmed FROM signer_row WHERE head = ?1",
    [SQL_SIGNER_HEADS] = "SELECT head FROM signer_row ORDER BY head",
    [SQL_SIGNER_LOWER] = "UPDATE signer_row SET live = live - 1, confirmed = confirmed - ?2"
                         " WHERE head = ?1",
    [SQL_SIGNER_DELETE] = "DELETE FROM signer_row WHERE head = ?1",
    [SQL_SLICES] = "SELECT slice, upto FROM signer_slice",
    [SQL_SLICE_SET] = "INSERT INTO signer_slice(slice, upto) VALUES(?1, ?2)"
                      " ON CONFLICT DO UPDATE SET upto = excluded.upto",
    [SQL_SUBMISSION_TAGS] = "SELECT idx, tag, tier FROM submission"
                            " WHERE idx >= ?1 AND tag IS NOT NULL",
    [SQL_BATCH_ADD] = "INSERT INTO paper_batch(id, day, who, label, rows)"
                      " SELECT ifnull(max(id), 0) + 1, ?1, ?2, ?3, ?4 FROM paper_batch"
                      " RETURNING id",
    [SQL_BATCH_LIVE_ADD] = "UPDATE paper_batch SET live = live + ?2 WHERE id = ?1",
    [SQL_BATCH_CONTACTLESS] = "UPDATE paper_batch SET without_contact = without_contact + ?2"
                              " WHERE id = ?1",
    [SQL_BATCH_DONE] = "UPDATE paper_batch SET done_s = ?2 WHERE id = ?1",
    [SQL_BATCH_GET] = "SELECT day, who, label, rows, live, without_contact, done_s, removed_s, why"
                      " FROM paper_batch WHERE id = ?1",
    [SQL_BATCH_LAST] = "SELECT id FROM paper_batch WHERE id < ?1 ORDER BY id DESC LIMIT 1",
    [SQL_BATCH_REMOVE] = "UPDATE paper_batch SET removed_s = ?2, why = ?3"
                         " WHERE id = ?1 AND removed_s IS NULL RETURNING 1",
    [SQL_BATCH_LIVE] = "SELECT idx FROM submission WHERE batch = ?1 AND tag IS NOT NULL LIMIT ?2",
    [SQL_ORGANISER_ADD] = "INSERT INTO organiser(name, password, day) VALUES(?1, ?2, ?3)",
    [SQL_ORGANISER_PASSWD] = "UPDATE organiser SET password = ?2 WHERE name = ?1 RETURNING 1",
    [SQL_ORGANISER_FIND] = "SELECT 1 FROM organiser WHERE name = ?1",
    [SQL_ORGANISER_GET] = "SELECT name, password, role, totp_secret, totp_step,"
                          " (SELECT count(*) FROM recovery AS r WHERE r.organiser = o.name)"
                          " FROM organiser AS o WHERE name = ?1",
    [SQL_ORGANISER_NEXT] = "SELECT name FROM organiser WHERE name > ?1 ORDER BY name LIMIT 1",
    [SQL_ORGANISER_ROLE] = "UPDATE organiser SET role = ?2 WHERE name = ?1 RETURNING 1",
    [SQL_ORGANISER_REMOVE] = "DELETE FROM organiser WHERE name = ?1 RETURNING 1",
    [SQL_ORGANISER_OWNERS] = "SELECT count(*) FROM organiser WHERE role = 2",
    [SQL_TOTP_SET] = "UPDATE organiser SET totp_secret = ?2, totp_step = ?3 WHERE name = ?1"
                     " RETURNING 1",
    [SQL_TOTP_STEP] = "UPDATE organiser SET totp_step = ?2 WHERE name = ?1 AND totp_step < ?2"
                      " RETURNING 1",
    [SQL_RECOVERY_ADD] = "INSERT INTO recovery(organiser, hash) VALUES(?1, ?2)",
    [SQL_RECOVERY_USE] = "DELETE FROM recovery WHERE organiser = ?1 AND hash = ?2 RETURNING 1",
    [SQL_RECOVERY_CLEAR] = "DELETE FROM recovery WHERE organiser = ?1",
    [SQL_SESSION_ADD] = "INSERT INTO session(hash, organiser, created_s, seen_s)"
                        " VALUES(?1, ?2, ?3, ?3)",
    [SQL_SESSION_GET] = "SELECT organiser, lang, created_s, seen_s FROM session WHERE hash = ?1",
    [SQL_SESSION_NEXT] = "SELECT hash, seen_s FROM session WHERE hash > ?1 ORDER BY hash LIMIT 1",
    [SQL_SESSION_SEEN] = "UPDATE session SET seen_s = ?2 WHERE hash = ?1",
    [SQL_SESSION_LANG] = "UPDATE session SET lang = ?2 WHERE hash = ?1",
    [SQL_SESSION_END] = "DELETE FROM session WHERE hash = ?1",
    [SQL_SESSION_END_ALL] = "DELETE FROM session WHERE organiser = ?1",
    [SQL_SESSION_EXPIRE] = "DELETE FROM session WHERE created_s <= ?1 OR seen_s <= ?2",
    [SQL_TOKEN_ADD] = "INSERT INTO token(hash, organiser, day) VALUES(?1, ?2, ?3)",
    [SQL_TOKEN_CLEAR] = "DELETE FROM token WHERE organiser = ?1",
    [SQL_TOKEN_FIND] = "SELECT organiser FROM token WHERE hash = ?1",
    [SQL_AUDIT_LAST] = "SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1",
    [SQL_AUDIT_ADD] = "INSERT INTO audit(id, at_s, who, act, detail, hash)"
                      " VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
    [SQL_AUDIT_ROWS] = "SELECT id, at_s, who, act, detail, hash FROM audit WHERE id > ?1"
                       " ORDER BY id",
    [SQL_AUDIT_NEWEST] = "SELECT at_s FROM audit WHERE act = ?1 ORDER BY id DESC LIMIT 1",
    [SQL_DELIVERY_ADD] = "INSERT INTO delivery(id, organiser, state, requested_s)"
                         " SELECT max(ifnull((SELECT max(id) FROM delivery), 0),"
                         " ifnull((SELECT max(n) FROM log_delivery), 0)) + 1, ?1, 'queued', ?2"
                         " RETURNING id",
    [SQL_DELIVERY_LAST] = "SELECT id FROM delivery WHERE id < ?1 ORDER BY id DESC LIMIT 1",
    [SQL_DELIVERY_COMPLETE] = "UPDATE delivery SET completed_s = ?2"
                              " WHERE id = ?1 AND state = 'done' AND completed_s IS NULL"
                              " RETURNING 1",
    [SQL_HANDOVER_SET] = "INSERT INTO handover(delivery, addressee, day, note, who)"
                         " VALUES(?1, ?2, ?3, ?4, ?5)"
                         " ON CONFLICT DO UPDATE SET day = ?3, note = ?4, who = ?5",
    [SQL_HANDOVERS] = "SELECT addressee, day, note, who FROM handover WHERE delivery = ?1"
                      " ORDER BY addressee",
    [SQL_DELIVERY_GET] = "SELECT state, requested_s, frozen_s, size, figures, why, completed_s,"
                         " organiser FROM delivery"
                         " WHERE id = ?1",
    [SQL_DELIVERY_NEXT] = "SELECT id FROM delivery WHERE state IN ('queued', 'running')"
                          " ORDER BY id LIMIT 1",
    [SQL_DELIVERY_STATE] = "UPDATE delivery SET state = ?2, why = ?3 WHERE id = ?1",
    [SQL_DELIVERY_FROZEN] = "UPDATE delivery SET frozen_s = ?2, size = ?3, figures = ?4"
                            " WHERE id = ?1 AND size IS NULL",
    [SQL_BUNDLE_SET] = "INSERT INTO bundle(delivery, addressee, sha256, bytes)"
                       " VALUES(?1, ?2, ?3, ?4)"
                       " ON CONFLICT DO UPDATE SET sha256 = ?3, bytes = ?4",
    [SQL_BUNDLES] = "SELECT addressee, sha256, bytes FROM bundle WHERE delivery = ?1"
                    " ORDER BY addressee",
    [SQL_DELIVERY_ENTRY] = "SELECT entry FROM log_delivery WHERE n = ?1",
    [SQL_DELIVERY_BEFORE] = "SELECT size FROM log_delivery WHERE n < ?1 ORDER BY n DESC LIMIT 1",
    [SQL_LOG_REMOVALS] = "SELECT e.body FROM log_end AS d JOIN log_entry AS e ON e.idx = d.entry"
                         " WHERE d.entry >= ?1 AND d.entry < ?2 ORDER BY d.entry",
    [SQL_CHECKPOINT_AFTER] = "SELECT size, note FROM log_checkpoint WHERE size > ?1"
                             " ORDER BY size LIMIT 1",
};
