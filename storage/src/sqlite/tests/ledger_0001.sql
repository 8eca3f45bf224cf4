-- A ledger that the first version wrote, as a dump: what a migration begins with. Its schema is that of 0001_ledger.sql.
BEGIN TRANSACTION;
CREATE TABLE _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);
INSERT INTO "_sqlx_migrations" VALUES(1,'ledger','2026-11-27 19:09:10',1,X'28A825DE0E0D90C9E8073472EA23A285B8441D60B8224410CA79F0A198CF4F3699ACB0CCFCE7F9A694606D2201ADECF6',4729342);
CREATE TABLE acknowledgement (
    number INTEGER PRIMARY KEY,
    text   TEXT NOT NULL,
    entry  INTEGER NOT NULL UNIQUE REFERENCES log_entry (position) DEFERRABLE INITIALLY DEFERRED
) STRICT;
INSERT INTO "acknowledgement" VALUES(1,'acknowledgement',12);
CREATE TABLE answer (
    transfer INTEGER PRIMARY KEY REFERENCES transfer (number),
    what     TEXT NOT NULL CHECK (what IN ('receipt', 'refusal')),
    text     TEXT NOT NULL,
    sha256   BLOB NOT NULL CHECK (length(sha256) = 32),
    entry    INTEGER NOT NULL UNIQUE REFERENCES log_entry (position) DEFERRABLE INITIALLY DEFERRED
) STRICT;
INSERT INTO "answer" VALUES(1,'receipt','receipt of institution:1300000001/01a0c450-6fe8-7000-8000-000000000001',X'AF4B386664C56FDF211A75419154D97459FD0272D7039468AF6C4F4650D1EEB0',3);
INSERT INTO "answer" VALUES(2,'receipt','receipt of institution:1300000002/01a0c450-73d0-7000-8000-000000000002',X'C128176212A8E9C8D11E30F7FF8AB1E33873976CBB78FE8C18AEBCF00E572374',6);
INSERT INTO "answer" VALUES(3,'refusal','refusal of institution:1300000002/01a0c450-77b8-7000-8000-000000000003',X'48FA0EAEFBB473DC4F4FF156F97F2EF09C4A5F0FB96CD36672E121050A74770B',8);
CREATE TABLE counterpart_log (
    origin     TEXT PRIMARY KEY,
    key        TEXT NOT NULL,
    identity   TEXT NOT NULL,
    size       INTEGER NOT NULL,
    root       BLOB NOT NULL CHECK (length(root) = 32),
    checkpoint TEXT NOT NULL
) STRICT;
INSERT INTO "counterpart_log" VALUES('sekisho/test/sender-4','sekisho/test/sender-4+5a6ca068+AQQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE','urn:sekisho:test:institution:1300000004',8,X'9F26BF8F34AF5543A0CE6E4B4E17AABA35178E41649AD5858B6CFF0248654EF1','checkpoint 8 9f26bf8f34af5543a0ce6e4b4e17aaba35178e41649ad5858b6cff0248654ef1');
CREATE TABLE ledger (
    only_row    INTEGER PRIMARY KEY CHECK (only_row = 1),
    environment TEXT NOT NULL,
    log_origin  TEXT NOT NULL,
    log_key     TEXT NOT NULL,
    openings    INTEGER NOT NULL               -- times it was opened for writing
) STRICT;
INSERT INTO "ledger" VALUES(1,'test','sekisho/test/log','sekisho/test/log+b20631d0+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c',1);
CREATE TABLE log_entry (
    position INTEGER PRIMARY KEY,
    text     TEXT NOT NULL,
    hash     BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
INSERT INTO "log_entry" VALUES(0,'{"version":1,"seq":0,"time":"2026-09-21T14:13:20.000Z","clock":"unknown","event":"started","salt":"07070707070707070707070707070707"}',X'E52517D4093BF7130C750809F1F7BADF90D4A9499A2A42290BF974C3A375F3D4');
INSERT INTO "log_entry" VALUES(1,'{"version":1,"seq":1,"time":"2026-09-21T14:13:20.000Z","clock":"unknown","event":"offered","salt":"07070707070707070707070707070707","sender":"institution:1300000001","transfer_id":"01a0c450-6fe8-7000-8000-000000000001","kind":"medical","class":"strictly-confidential","length":3145733,"sha256":"d1988cd3019824f075f61677e1a6f54b16035868488e4051757dde53adeef80f","manifest_sha256":"5f97c8de410864a40e67fc95bd463b21dfaebab96e40d1e98a2b767ad319b731"}',X'84E65D00CD290832B79B3F987C6A171C89DE495AADF4E149B3A403F3BDAE0900');
INSERT INTO "log_entry" VALUES(2,'{"version":1,"seq":2,"time":"2026-09-21T14:13:20.000Z","clock":"unknown","event":"attempt_began","salt":"07070707070707070707070707070707","sender":"institution:1300000001","transfer_id":"01a0c450-6fe8-7000-8000-000000000001","manifest_sha256":"5f97c8de410864a40e67fc95bd463b21dfaebab96e40d1e98a2b767ad319b731","attempt":1,"offset":0}',X'ACDE417013965BA1E284D241D65BE77B09B636A02B2B721D99A8371C46576B2F');
INSERT INTO "log_entry" VALUES(3,'{"version":1,"seq":3,"time":"2026-09-21T14:13:20.000Z","clock":"unknown","event":"committed","salt":"07070707070707070707070707070707","sender":"institution:1300000001","transfer_id":"01a0c450-6fe8-7000-8000-000000000001","manifest_sha256":"5f97c8de410864a40e67fc95bd463b21dfaebab96e40d1e98a2b767ad319b731","statement_sha256":"af4b386664c56fdf211a75419154d97459fd0272d7039468af6c4f4650d1eeb0","attempt":1,"offset":3145733}',X'8007A14F84564E00E1467D38B1A5418F5AB41CEC210A2D7F056417C25559CBDD');
INSERT INTO "log_entry" VALUES(4,'{"version":1,"seq":4,"time":"2026-09-21T14:13:20.000Z","clock":"unknown","event":"offered","salt":"07070707070707070707070707070707","sender":"institution:1300000002","transfer_id":"01a0c450-73d0-7000-8000-000000000002","kind":"medical","class":"strictly-confidential","length":3145733,"sha256":"9597d898814f165b7ed6118722c24271fec8c1254d46e437ad6ab24050763e2d","manifest_sha256":"fddf3fd31e7e293c2033b468fa1e7ed804211c6ff351e834e027bfb8cf0e6df6"}',X'02DA84D3C230991F171F9EE0DF9DF0273506E69792DCD51E73D8DBDAC72B80BC');
INSERT INTO "log_entry" VALUES(5,'{"version":1,"seq":5,"time":"2026-09-21T14:13:20.000Z","clock":"unknown","event":"attempt_began","salt":"07070707070707070707070707070707","sender":"institution:1300000002","transfer_id":"01a0c450-73d0-7000-8000-000000000002","manifest_sha256":"fddf3fd31e7e293c2033b468fa1e7ed804211c6ff351e834e027bfb8cf0e6df6","attempt":1,"offset":0}',X'CBC7DBC672D2E592C465B1051F6758FEBF6D323B77FD98BF6DFB5CF7E43CBB87');
INSERT INTO "log_entry" VALUES(6,'{"version":1,"seq":6,"time":"2026-09-21T14:13:20.000Z","clock":"unknown","event":"committed","salt":"07070707070707070707070707070707","sender":"institution:1300000002","transfer_id":"01a0c450-73d0-7000-8000-000000000002","manifest_sha256":"fddf3fd31e7e293c2033b468fa1e7ed804211c6ff351e834e027bfb8cf0e6df6","statement_sha256":"c128176212a8e9c8d11e30f7ff8ab1e33873976cbb78fe8c18aebcf00e572374","attempt":1,"offset":3145733}',X'662CD1D6723766AC0D1BB98D41986DEC9CE169E6032D6A745DBB243085DD7771');
INSERT INTO "log_entry" VALUES(7,'{"version":1,"seq":7,"time":"2026-09-21T14:13:20.000Z","clock":"unknown","event":"delivered","salt":"07070707070707070707070707070707","sender":"institution:1300000001","transfer_id":"01a0c450-6fe8-7000-8000-000000000001","manifest_sha256":"5f97c8de410864a40e67fc95bd463b21dfaebab96e40d1e98a2b767ad319b731","attempt":1,"offset":3145733}',X'CCF5EC13A957122E5550702469DCD77475FE39F3C4FC54C635BA84FE4C6E6938');
INSERT INTO "log_entry" VALUES(8,'{"version":1,"seq":8,"time":"2026-09-21T14:13:20.000Z","clock":"unknown","event":"refused","salt":"07070707070707070707070707070707","sender":"institution:1300000002","transfer_id":"01a0c450-77b8-7000-8000-000000000003","kind":"medical","class":"strictly-confidential","length":3145733,"sha256":"b910ce7ef3d90e013867bae074fcccaed29ee9262a006ef5af04c06d9b6bc1eb","manifest_sha256":"d7bb32b81502bee0d85c0952304ee3471ef40eb88d372b4642b5db331b1312ba","statement_sha256":"48fa0eaefbb473dc4f4ff156f97f2ef09c4a5f0fb96cd36672e121050a74770b"}',X'300F76858FE371ADE48E74A474B1C6DDF1B6C315B2C57F6D8B091163B7AF7A95');
INSERT INTO "log_entry" VALUES(9,'{"version":1,"seq":9,"time":"2026-09-21T14:13:20.000Z","clock":"unknown","event":"offered","salt":"07070707070707070707070707070707","sender":"institution:1300000004","transfer_id":"01a0c450-7ba0-7000-8000-000000000004","kind":"medical","class":"strictly-confidential","length":3145733,"sha256":"cabb866ab5c902410cac8f414d84700d943bfb0ee900c8f72fe150cc7e70ad65","manifest_sha256":"3b19cae7571163f86ba780b196d7cbbecd98314ff3f6234c86c76177563f348d"}',X'C6F2904640932C85C3A982AC3C12348A500097FDD67B312C0EEF6D3F5F592E03');
INSERT INTO "log_entry" VALUES(10,'{"version":1,"seq":10,"time":"2026-09-21T14:13:20.000Z","clock":"unknown","event":"offered","salt":"07070707070707070707070707070707","sender":"institution:1300000002","transfer_id":"01a0c450-7f88-7000-8000-000000000005","kind":"medical","class":"strictly-confidential","length":3145733,"sha256":"5c4d07d51cc27f5f1eef4bd79e2e2db88beec0df0796ee134b31178538d0ccb3","manifest_sha256":"d86c531aa6abd1ba4c9c76e23fb8fdba2ed8a2be23e5106b1ef6f2b518e8f2ff"}',X'67C7FE2DA567150DDBDA7A11DFBCE6CEF3BB17BE37E473ED2DE6CCC4D1A60BE0');
INSERT INTO "log_entry" VALUES(11,'{"version":1,"seq":11,"time":"2026-09-21T14:13:20.000Z","clock":"unknown","event":"attempt_began","salt":"07070707070707070707070707070707","sender":"institution:1300000002","transfer_id":"01a0c450-7f88-7000-8000-000000000005","manifest_sha256":"d86c531aa6abd1ba4c9c76e23fb8fdba2ed8a2be23e5106b1ef6f2b518e8f2ff","attempt":1,"offset":0}',X'305B9D17EEDCF434C21110E56022A728026BD75042FAA1416F2DFE47C8C12665');
INSERT INTO "log_entry" VALUES(12,'{"version":1,"seq":12,"time":"2026-09-21T14:13:20.000Z","clock":"unknown","event":"acknowledged","salt":"07070707070707070707070707070707","statement_sha256":"f2e6caf7a3cd7edabd71774164083e795fcf23d7d090650ea3a92172a8b4ee51"}',X'4C90D54F562A77D25845700D03C9CB22A78EFE9EAC294F8CCB4B3C883B58C288');
CREATE TABLE log_head (
    only_row   INTEGER PRIMARY KEY CHECK (only_row = 1),
    size       INTEGER NOT NULL,
    root       BLOB NOT NULL CHECK (length(root) = 32),
    checkpoint TEXT NOT NULL
) STRICT;
INSERT INTO "log_head" VALUES(1,13,X'808CF42125E58C20D90B5C00112DBA77F5AF231C69B21323FACA36FECA064C20','sekisho/test/log
13
gIz0ISXljCDZC1wAES26d/WvIxxpshMj+so2/soGTCA=

— sekisho/test/log sgYx0NdYbs7DFFfwaD3DmVQ2XRyFyrghzNUKJtnM3GuFR54CMlesvkMROq0WkaAxfiyx7bjafUuhPwvZYQLOtMhLQwY=
');
CREATE TABLE log_node (
    number INTEGER PRIMARY KEY,
    hash   BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
INSERT INTO "log_node" VALUES(0,X'418383FE2001831F9AC3BB850C56249C51846817187F83B158BE71D1F48256CD');
INSERT INTO "log_node" VALUES(1,X'120DC470F6AFFD0CA19CB8A37726CDB2033442B672E6D151991BBC626474A99A');
INSERT INTO "log_node" VALUES(2,X'87ADDC619261EB719B43AC72C61DFA31B75912B5D74B6B868975C352BB97027C');
INSERT INTO "log_node" VALUES(3,X'414CE5F41F37ED6881ED8657F7D83F79A727A050BEA086BE50FD1C180E1A3B55');
INSERT INTO "log_node" VALUES(4,X'C4E3A600564242A8059C6F92EE26EF82F4A94F43858BFB64563FF4FB72B07228');
INSERT INTO "log_node" VALUES(5,X'8ED9E473AC8C42E8D07959AD71E30C47115C25AAB5611537877748065F6E2395');
INSERT INTO "log_node" VALUES(6,X'AF14BF4B6E2125BB667DAABD7531F71E9F0786A9D9E2647955262A42085FA3F4');
INSERT INTO "log_node" VALUES(7,X'3878D4CA0CBE9C333606FBFB072630A23ABD40535F698A6011E99F1F7390139E');
INSERT INTO "log_node" VALUES(8,X'7C8637DF0183BB0882C92B442BC228C4D9D04E67029DDB023DB71E76E6DF22B3');
INSERT INTO "log_node" VALUES(9,X'8368ECEE4CFBA4286BB031ED1217D82BC7A196A9D4EEAD1AD7211B4FD5A99CAF');
CREATE TABLE manifest (
    transfer INTEGER PRIMARY KEY REFERENCES transfer (number),
    text     TEXT NOT NULL,
    entry    INTEGER NOT NULL UNIQUE REFERENCES log_entry (position) DEFERRABLE INITIALLY DEFERRED
) STRICT;
INSERT INTO "manifest" VALUES(1,'manifest of institution:1300000001/01a0c450-6fe8-7000-8000-000000000001',1);
INSERT INTO "manifest" VALUES(2,'manifest of institution:1300000002/01a0c450-73d0-7000-8000-000000000002',4);
INSERT INTO "manifest" VALUES(3,'manifest of institution:1300000002/01a0c450-77b8-7000-8000-000000000003',8);
INSERT INTO "manifest" VALUES(4,'manifest of institution:1300000004/01a0c450-7ba0-7000-8000-000000000004',9);
INSERT INTO "manifest" VALUES(5,'manifest of institution:1300000002/01a0c450-7f88-7000-8000-000000000005',10);
CREATE TABLE tally (
    name  TEXT PRIMARY KEY,
    count INTEGER NOT NULL CHECK (count >= 0)
) STRICT, WITHOUT ROWID;
INSERT INTO "tally" VALUES('aborted',0);
INSERT INTO "tally" VALUES('acknowledged',1);
INSERT INTO "tally" VALUES('checking',1);
INSERT INTO "tally" VALUES('committed',2);
INSERT INTO "tally" VALUES('delivered',1);
INSERT INTO "tally" VALUES('offered',1);
INSERT INTO "tally" VALUES('receiving',0);
INSERT INTO "tally" VALUES('refused',1);
CREATE TABLE transfer (
    number          INTEGER PRIMARY KEY,
    sender          TEXT NOT NULL,
    id              TEXT NOT NULL,
    receiver        TEXT NOT NULL,
    kind            TEXT NOT NULL,
    claim_month     TEXT NOT NULL,             -- '' for kinds without one
    length          INTEGER NOT NULL,
    sha256          BLOB NOT NULL CHECK (length(sha256) = 32),
    class           TEXT NOT NULL,
    manifest_sha256 BLOB NOT NULL CHECK (length(manifest_sha256) = 32),
    resubmission_of TEXT,
    phase           TEXT NOT NULL,
    reason          TEXT,                      -- cause of an abort, problem of a refusal
    attempt         INTEGER NOT NULL,
    durable         INTEGER NOT NULL,          -- bytes
    mismatches      INTEGER NOT NULL,
    since           INTEGER NOT NULL,          -- times: milliseconds since 1970
    offered_at      INTEGER NOT NULL,
    deadline        INTEGER NOT NULL,
    delivered_at    INTEGER,
    acknowledged_at INTEGER,
    acknowledgement INTEGER REFERENCES acknowledgement (number) DEFERRABLE INITIALLY DEFERRED,
    UNIQUE (sender, id)
) STRICT;
INSERT INTO "transfer" VALUES(1,'institution:1300000001','01a0c450-6fe8-7000-8000-000000000001','review-agency:113','medical','202610',3145733,X'D1988CD3019824F075F61677E1A6F54B16035868488E4051757DDE53ADEEF80F','strictly-confidential',X'5F97C8DE410864A40E67FC95BD463B21DFAEBAB96E40D1E98A2B767AD319B731',NULL,'committed',NULL,1,3145733,0,1790000001000,1790000001000,1790001001000,1790000009000,1790000009000,1);
INSERT INTO "transfer" VALUES(2,'institution:1300000002','01a0c450-73d0-7000-8000-000000000002','review-agency:113','medical','202610',3145733,X'9597D898814F165B7ED6118722C24271FEC8C1254D46E437AD6AB24050763E2D','strictly-confidential',X'FDDF3FD31E7E293C2033B468FA1E7ED804211C6FF351E834E027BFB8CF0E6DF6',NULL,'committed',NULL,1,3145733,0,1790000001000,1790000002000,1790001002000,NULL,NULL,NULL);
INSERT INTO "transfer" VALUES(3,'institution:1300000002','01a0c450-77b8-7000-8000-000000000003','review-agency:113','medical','202610',3145733,X'B910CE7EF3D90E013867BAE074FCCCAED29EE9262A006EF5AF04C06D9B6BC1EB','strictly-confidential',X'D7BB32B81502BEE0D85C0952304EE3471EF40EB88D372B4642B5DB331B1312BA',NULL,'refused','too_large',0,0,0,1790000003000,1790000003000,1790001003000,NULL,NULL,NULL);
INSERT INTO "transfer" VALUES(4,'institution:1300000004','01a0c450-7ba0-7000-8000-000000000004','review-agency:113','medical','202610',3145733,X'CABB866AB5C902410CAC8F414D84700D943BFB0EE900C8F72FE150CC7E70AD65','strictly-confidential',X'3B19CAE7571163F86BA780B196D7CBBECD98314FF3F6234C86C76177563F348D',NULL,'offered',NULL,0,0,0,1790000004000,1790000004000,1790001004000,NULL,NULL,NULL);
INSERT INTO "transfer" VALUES(5,'institution:1300000002','01a0c450-7f88-7000-8000-000000000005','review-agency:113','medical','202610',3145733,X'5C4D07D51CC27F5F1EEF4BD79E2E2DB88BEEC0DF0796EE134B31178538D0CCB3','strictly-confidential',X'D86C531AA6ABD1BA4C9C76E23FB8FDBA2ED8A2BE23E5106B1EF6F2B518E8F2FF',NULL,'checking',NULL,1,3145733,0,1790000001000,1790000005000,1790001005000,NULL,NULL,NULL);
CREATE TRIGGER log_entry_is_final BEFORE UPDATE ON log_entry BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER log_entry_is_kept BEFORE DELETE ON log_entry BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER log_node_is_final BEFORE UPDATE ON log_node BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER log_node_is_kept BEFORE DELETE ON log_node BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE INDEX transfer_unfinished ON transfer (sender) WHERE phase IN ('offered', 'receiving', 'checking', 'aborted');
CREATE INDEX transfer_offered ON transfer (sender, offered_at, length);
CREATE INDEX transfer_running ON transfer (number) WHERE phase IN ('receiving', 'checking');
CREATE INDEX transfer_waiting ON transfer (deadline) WHERE phase IN ('offered', 'aborted');
CREATE INDEX transfer_undelivered ON transfer (number) WHERE phase = 'committed' AND delivered_at IS NULL;
CREATE INDEX transfer_held ON transfer (sender, sha256, receiver, kind, claim_month) WHERE phase = 'committed';
CREATE TRIGGER manifest_is_final BEFORE UPDATE ON manifest BEGIN SELECT RAISE(ABORT, 'evidence never changes'); END;
CREATE TRIGGER answer_is_final BEFORE UPDATE ON answer BEGIN SELECT RAISE(ABORT, 'evidence never changes'); END;
CREATE TRIGGER acknowledgement_is_final BEFORE UPDATE ON acknowledgement
BEGIN SELECT RAISE(ABORT, 'evidence never changes'); END;
CREATE TRIGGER tally_new AFTER INSERT ON transfer BEGIN
    UPDATE tally SET count = count + 1
    WHERE name = NEW.phase OR (name = 'delivered' AND NEW.delivered_at IS NOT NULL);
END;
CREATE TRIGGER tally_phase AFTER UPDATE OF phase ON transfer WHEN OLD.phase <> NEW.phase BEGIN
    UPDATE tally SET count = count - 1 WHERE name = OLD.phase;
    UPDATE tally SET count = count + 1 WHERE name = NEW.phase;
END;
CREATE TRIGGER tally_delivered AFTER UPDATE OF delivered_at ON transfer
WHEN OLD.delivered_at IS NULL AND NEW.delivered_at IS NOT NULL BEGIN
    UPDATE tally SET count = count + 1 WHERE name = 'delivered';
END;
CREATE TRIGGER tally_acknowledged AFTER UPDATE OF acknowledged_at ON transfer
WHEN OLD.acknowledged_at IS NULL AND NEW.acknowledged_at IS NOT NULL BEGIN
    UPDATE tally SET count = count + 1 WHERE name = 'acknowledged';
END;
COMMIT;
PRAGMA application_id = 1399155505;
