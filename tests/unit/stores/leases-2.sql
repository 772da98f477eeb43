-- A lease store of schema 2, as the gateway of that time left it when it was killed: two sessions on one request,
-- a session whose id has the form of an lsid, and a release that the vault had not confirmed.
PRAGMA application_id = 1246186579;
PRAGMA user_version = 2;
BEGIN TRANSACTION;
CREATE TABLE lease ( id TEXT PRIMARY KEY NOT NULL, state INTEGER NOT NULL, vault TEXT NOT NULL, user TEXT NOT NULL, username TEXT NOT NULL, domain TEXT NOT NULL, session TEXT NOT NULL, credential TEXT NOT NULL, tag TEXT NOT NULL, system_id INTEGER NOT NULL, account_id INTEGER NOT NULL, application_id INTEGER NOT NULL, request_id INTEGER NOT NULL, adopted INTEGER NOT NULL, created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, attempts INTEGER NOT NULL, next_ms INTEGER NOT NULL, last_error TEXT NOT NULL, url TEXT NOT NULL DEFAULT '') WITHOUT ROWID, STRICT;
INSERT INTO "lease" VALUES('her45a4wrk2mv6rsf1xed5njrs',1,'main','CORP\bob','bob','corp','0123456789abcdef0123456789abcdef','j1.main.l.20002.20003.0','her45a4wrk2mv6rsf1xed5njrs',20002,20003,0,1002,0,1795895628000,1795899228000,0,0,'','http://127.0.0.1:44159/beyondtrust/api/public/v3');
INSERT INTO "lease" VALUES('rajfy0zyy1e4mgp0dmyp0r7p83',2,'main','CORP\ann','ann','corp','S-3','j1.main.l.20004.20005.0','rajfy0zyy1e4mgp0dmyp0r7p83',20004,20005,0,1003,0,1795895628000,1795899228000,2,1795895630591,'vault_error','http://127.0.0.1:44159/beyondtrust/api/public/v3');
INSERT INTO "lease" VALUES('x4fhj1t5b2t6h4xz9f7bvhv889',1,'main','CORP\ann','ann','corp','S-2','j1.main.l.20000.20001.0','x4fhj1t5b2t6h4xz9f7bvhv889',20000,20001,0,1001,0,1795895628000,1795899228000,0,0,'','http://127.0.0.1:44159/beyondtrust/api/public/v3');
INSERT INTO "lease" VALUES('yk50q8kw1ycqtvapppzsd74kj6',1,'main','CORP\ann','ann','corp','S-1','j1.main.l.20000.20001.0','yk50q8kw1ycqtvapppzsd74kj6',20000,20001,0,1001,0,1795895628000,1795899228000,0,0,'','http://127.0.0.1:44159/beyondtrust/api/public/v3');
CREATE TABLE probe (n INTEGER NOT NULL) STRICT;
INSERT INTO "probe" VALUES(0);
COMMIT;
