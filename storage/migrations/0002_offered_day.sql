-- What each sender has offered on each day, counted as it offers, so that asking costs the same however much that is.
-- A day goes by its first millisecond.

CREATE TABLE offered_day (
    sender    TEXT NOT NULL,
    day_began INTEGER NOT NULL,
    offers    INTEGER NOT NULL,
    bytes     INTEGER NOT NULL,                -- of content, declared
    PRIMARY KEY (sender, day_began)
) STRICT, WITHOUT ROWID;

-- Days of before are those of Japan, as whoever offers counts them: nine hours ahead of UTC, without summer time.
INSERT INTO offered_day (sender, day_began, offers, bytes)
SELECT sender, (offered_at + 32400000) / 86400000 * 86400000 - 32400000 AS day, count(*),
    CAST(min(total(length), 9e18) AS INTEGER)
FROM transfer GROUP BY sender, day;

DROP INDEX transfer_offered;
