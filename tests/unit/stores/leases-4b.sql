-- A lease store of schema 4, as the gateway of that time left it when it was killed at `lease.lapsed.durable`: two sessions on one request, a person's own request, one that had lapsed, and others.
PRAGMA application_id = 1246186579;
PRAGMA user_version = 4;
BEGIN TRANSACTION;
CREATE TABLE lease ( id TEXT PRIMARY KEY NOT NULL, state INTEGER NOT NULL, vault TEXT NOT NULL, user TEXT NOT NULL, username TEXT NOT NULL, domain TEXT NOT NULL, session TEXT NOT NULL, credential TEXT NOT NULL, tag TEXT NOT NULL, system_id INTEGER NOT NULL, account_id INTEGER NOT NULL, application_id INTEGER NOT NULL, request_id INTEGER NOT NULL, adopted INTEGER NOT NULL, created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, attempts INTEGER NOT NULL, next_ms INTEGER NOT NULL, last_error TEXT NOT NULL, url TEXT NOT NULL DEFAULT '', lsid TEXT NOT NULL DEFAULT '', ended INTEGER NOT NULL DEFAULT 0, ended_site TEXT NOT NULL DEFAULT '', system TEXT NOT NULL DEFAULT '', account TEXT NOT NULL DEFAULT '') WITHOUT ROWID, STRICT;
INSERT INTO "lease" VALUES('4bzpp2bbrg6qbr71c2phr6an85',1,'main','CORP\ann','ann','CORP','ann-0','j1.main.l.20000.20001.0','4bzpp2bbrg6qbr71c2phr6an85',20000,20001,0,1001,0,1795935168000,1795935248000,0,0,'','http://127.0.0.1:38645/beyondtrust/api/public/v3','0123456789abcdef0123456789abcdef',0,'','box20000','root');
INSERT INTO "lease" VALUES('827ecpq16ds39qm796dzf5vhn6',1,'main','CORP\ann','ann','CORP','ann-3','j1.main.l.20006.20007.0','827ecpq16ds39qm796dzf5vhn6',20006,20007,0,1008,1,1795935171000,1795935183000,0,0,'','http://127.0.0.1:38645/beyondtrust/api/public/v3','',0,'','box20006','root');
INSERT INTO "lease" VALUES('hc23a9g9r3skaxr0b87j8jw8nd',1,'main','CORP\bob','bob','CORP','bob-8','j1.main.l.20016.20017.0','hc23a9g9r3skaxr0b87j8jw8nd',20016,20017,0,1005,0,1795935169000,1795935249000,0,0,'','http://127.0.0.1:38645/beyondtrust/api/public/v3','',0,'','box20016','root');
INSERT INTO "lease" VALUES('nk2xjv02n6p02cbxz1xs2nda6m',3,'main','CORP\carol','carol','CORP','carol-4','j1.main.l.20008.20009.0','nk2xjv02n6p02cbxz1xs2nda6m',20008,20009,0,1009,0,1795935171000,1795935173000,1,1796021572581,'vault_error','http://127.0.0.1:38645/beyondtrust/api/public/v3','',0,'','box20008','root');
INSERT INTO "lease" VALUES('pjqzmhbhqe04kreeae788abvsv',1,'main','CORP\ann','ann','CORP','ann-again','j1.main.l.20000.20001.0','pjqzmhbhqe04kreeae788abvsv',20000,20001,0,1001,0,1795935168000,1795935248000,0,0,'','http://127.0.0.1:38645/beyondtrust/api/public/v3','',0,'','box20000','root');
CREATE TABLE pra_cursor (site TEXT PRIMARY KEY NOT NULL, cursor_ms INTEGER NOT NULL) WITHOUT ROWID, STRICT;
CREATE TABLE probe (n INTEGER NOT NULL) STRICT;
INSERT INTO "probe" VALUES(0);
COMMIT;
