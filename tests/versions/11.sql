BEGIN TRANSACTION;
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'xpmsync','create_active_records','2026-12-01 19:09:16.544545+00:00');
INSERT INTO "_sqlite_migrations" VALUES(2,'xpmsync','create_mirror','2026-12-01 19:09:16.545276+00:00');
INSERT INTO "_sqlite_migrations" VALUES(3,'xpmsync','create_history','2026-12-01 19:09:16.545837+00:00');
INSERT INTO "_sqlite_migrations" VALUES(4,'xpmsync','create_views','2026-12-01 19:09:16.546314+00:00');
INSERT INTO "_sqlite_migrations" VALUES(5,'xpmsync','tell_of_causes','2026-12-01 19:09:16.547024+00:00');
INSERT INTO "_sqlite_migrations" VALUES(6,'xpmsync','let_outcomes_stand','2026-12-01 19:09:16.547663+00:00');
INSERT INTO "_sqlite_migrations" VALUES(7,'xpmsync','renew_views','2026-12-01 19:09:16.548208+00:00');
INSERT INTO "_sqlite_migrations" VALUES(8,'xpmsync','remember_stops','2026-12-01 19:09:16.548374+00:00');
INSERT INTO "_sqlite_migrations" VALUES(9,'xpmsync','drop_notifications','2026-12-01 19:09:16.548517+00:00');
INSERT INTO "_sqlite_migrations" VALUES(10,'xpmsync','remember_former_staff','2026-12-01 19:09:16.551768+00:00');
INSERT INTO "_sqlite_migrations" VALUES(11,'xpmsync','show_what_leads_nowhere','2026-12-01 19:09:16.552138+00:00');
CREATE TABLE changes (
  id INTEGER PRIMARY KEY,
  run_id INTEGER REFERENCES sync_runs (id), -- NULL: the administrator's
  actor TEXT NOT NULL,
  changed_at TEXT NOT NULL,
  entity TEXT NOT NULL CHECK (entity IN ('user', 'client', 'group', 'office')),
  entity_id TEXT NOT NULL,
  action TEXT NOT NULL CHECK (action IN ('created', 'updated', 'linked', 'status')),
  field TEXT,
  old_value TEXT,
  new_value TEXT
) STRICT
;
INSERT INTO "changes" VALUES(1,1,'XPM','2026-12-01T19:09:16Z','user','0f6ad07b-bd34-44e5-a8b4-f081766d5540','created',NULL,NULL,'Ann Perera');
INSERT INTO "changes" VALUES(2,1,'XPM','2026-12-01T19:09:16Z','user','efe418dc-64dc-4c86-bffa-3cf4492064b1','created',NULL,NULL,'Tui Moana');
INSERT INTO "changes" VALUES(3,1,'XPM','2026-12-01T19:09:16Z','user','4f4f6fd4-b7f8-4af7-a39c-ba6fbc727a36','created',NULL,NULL,'Bo Lee');
INSERT INTO "changes" VALUES(4,1,'XPM','2026-12-01T19:09:16Z','group','26c13ff0-b8e8-42ea-b93f-3d56aacd5c0a','created',NULL,NULL,'The Acmers');
INSERT INTO "changes" VALUES(5,1,'XPM','2026-12-01T19:09:16Z','client','6ceabb09-cb78-448d-a98f-f097ffb8894f','created',NULL,NULL,'Acmer Pty Ltd');
INSERT INTO "changes" VALUES(6,1,'XPM','2026-12-01T19:09:16Z','client','9e68bc3a-9b88-4495-a122-fa53e6bd7be8','created',NULL,NULL,'Kōwhai & Daughters');
INSERT INTO "changes" VALUES(7,1,'XPM','2026-12-01T19:09:16Z','client','63ec49e1-de44-4090-a251-877d40fa1cfc','created',NULL,NULL,'Rimu Holdings');
INSERT INTO "changes" VALUES(8,NULL,'root','2026-12-01T19:09:16Z','user','0f6ad07b-bd34-44e5-a8b4-f081766d5540','updated','role',NULL,'Admin');
INSERT INTO "changes" VALUES(9,NULL,'root','2026-12-01T19:09:16Z','user','0f6ad07b-bd34-44e5-a8b4-f081766d5540','updated','office_code',NULL,'MAIN');
INSERT INTO "changes" VALUES(10,NULL,'root','2026-12-01T19:09:16Z','user','0f6ad07b-bd34-44e5-a8b4-f081766d5540','updated','modules',NULL,'Tax');
INSERT INTO "changes" VALUES(11,NULL,'root','2026-12-01T19:09:16Z','client','c94cd203-41ae-423e-939c-00dc4bf8fea3','created',NULL,NULL,'By Hand Ltd');
INSERT INTO "changes" VALUES(12,3,'XPM','2026-12-01T19:09:16Z','client','6ceabb09-cb78-448d-a98f-f097ffb8894f','updated','telephone',NULL,'(02) 5550 1234');
CREATE TABLE client_group_members (
  client_id TEXT NOT NULL REFERENCES clients (id),
  client_group_id TEXT NOT NULL REFERENCES client_groups (id),
  PRIMARY KEY (client_id, client_group_id)
) STRICT, WITHOUT ROWID
;
INSERT INTO "client_group_members" VALUES('6ceabb09-cb78-448d-a98f-f097ffb8894f','26c13ff0-b8e8-42ea-b93f-3d56aacd5c0a');
CREATE TABLE client_groups (
  id TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  xpm_group_uuid TEXT UNIQUE
) STRICT
;
INSERT INTO "client_groups" VALUES('26c13ff0-b8e8-42ea-b93f-3d56aacd5c0a','The Acmers','00000000-0000-4000-8000-000000000301');
CREATE TABLE clients (
  id TEXT NOT NULL PRIMARY KEY,
  legal_name TEXT NOT NULL,
  code TEXT CHECK (code <> ''),
  code_key TEXT UNIQUE, -- the code whatever its case, kept by xpmsync
  entity_type TEXT,
  abn TEXT, -- digits: 11 of an ABN, 13 of an NZBN
  individual_title TEXT,
  individual_first_name TEXT,
  individual_last_name TEXT,
  individual_salutation TEXT,
  email TEXT,
  telephone TEXT,
  fax TEXT,
  residential_address_line_1 TEXT,
  residential_address_line_2 TEXT,
  residential_address_line_3 TEXT,
  residential_address_suburb TEXT,
  residential_address_state TEXT,
  residential_address_post_code TEXT,
  postal_address_line_1 TEXT,
  postal_address_line_2 TEXT,
  postal_address_line_3 TEXT,
  postal_address_suburb TEXT,
  postal_address_state TEXT,
  postal_address_post_code TEXT,
  partner_id TEXT NOT NULL REFERENCES users (id),
  manager_id TEXT REFERENCES users (id),
  office_code TEXT NOT NULL REFERENCES offices (code), -- the administrator's after the creation
  status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'archived', 'deleted', 'removed')),
  xpm_client_uuid TEXT UNIQUE
) STRICT
;
INSERT INTO "clients" VALUES('6ceabb09-cb78-448d-a98f-f097ffb8894f','Acmer Pty Ltd','ACM1','acm1',NULL,'51824753556',NULL,NULL,NULL,'Sam',NULL,'(02) 5550 1234',NULL,'Level 32','188 Quay Street',NULL,'Auckland',NULL,'1010',NULL,NULL,NULL,NULL,NULL,NULL,'0f6ad07b-bd34-44e5-a8b4-f081766d5540','efe418dc-64dc-4c86-bffa-3cf4492064b1','MAIN','active','00000000-0000-4000-8000-000000000200');
INSERT INTO "clients" VALUES('9e68bc3a-9b88-4495-a122-fa53e6bd7be8','Kōwhai & Daughters','KOW1','kow1',NULL,NULL,NULL,NULL,NULL,NULL,'office@kowhai.example',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'efe418dc-64dc-4c86-bffa-3cf4492064b1',NULL,'MAIN','active','00000000-0000-4000-8000-000000000201');
INSERT INTO "clients" VALUES('63ec49e1-de44-4090-a251-877d40fa1cfc','Rimu Holdings','RIM1','rim1',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'09 555 0000',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'0f6ad07b-bd34-44e5-a8b4-f081766d5540',NULL,'MAIN','active','00000000-0000-4000-8000-000000000202');
INSERT INTO "clients" VALUES('c94cd203-41ae-423e-939c-00dc4bf8fea3','By Hand Ltd','HAND1','hand1',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'efe418dc-64dc-4c86-bffa-3cf4492064b1',NULL,'MAIN','active',NULL);
CREATE TABLE elements_not_sent (
  mirror_table TEXT NOT NULL CHECK (mirror_table IN ('xpm_staff', 'xpm_clients')),
  element TEXT NOT NULL,
  run_id INTEGER NOT NULL, -- the first sync whose full list came without it
  is_accepted INTEGER NOT NULL DEFAULT 0, -- 1: somebody has said that this is right
  PRIMARY KEY (mirror_table, element)
) STRICT, WITHOUT ROWID
;
INSERT INTO "elements_not_sent" VALUES('xpm_clients','BusinessStructure',1,0);
INSERT INTO "elements_not_sent" VALUES('xpm_clients','FirstName',1,0);
INSERT INTO "elements_not_sent" VALUES('xpm_clients','LastName',1,0);
INSERT INTO "elements_not_sent" VALUES('xpm_clients','Title',1,0);
CREATE TABLE former_staff (
  xpm_staff_uuid TEXT NOT NULL PRIMARY KEY, -- an entry of the staff list that was created again under another UUID
  user_id TEXT NOT NULL REFERENCES users (id) -- whose clients name it, as long as XPM does not list it
) STRICT, WITHOUT ROWID
;
CREATE TABLE offices (
  code TEXT NOT NULL PRIMARY KEY CHECK (code <> ''),
  name TEXT NOT NULL,
  default_partner_id TEXT REFERENCES users (id) -- takes the clients that have no partner in XPM
) STRICT
;
INSERT INTO "offices" VALUES('MAIN','Main Office',NULL);
CREATE TABLE standing_outcome (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  origin TEXT NOT NULL, -- the program and the setting that it is the outcome of
  outcome TEXT -- JSON: counts and problems; NULL while the derivation runs
) STRICT
;
CREATE TABLE stopped_changes (
  mode TEXT NOT NULL CHECK (mode IN ('full', 'incremental')),
  kind TEXT NOT NULL, -- what would be lost
  xpm_uuid TEXT NOT NULL, -- of the record that would lose it; empty where all records would
  first_run_id INTEGER NOT NULL REFERENCES sync_runs (id),
  last_run_id INTEGER NOT NULL REFERENCES sync_runs (id), -- with all stopped syncs of the mode in between
  PRIMARY KEY (mode, kind, xpm_uuid, first_run_id)
) STRICT, WITHOUT ROWID
;
CREATE TABLE "sync_errors" (
  id INTEGER PRIMARY KEY,
  code TEXT NOT NULL,
  severity TEXT NOT NULL CHECK (severity IN ('error', 'warning')),
  entity TEXT NOT NULL CHECK (entity IN ('user', 'client', 'office', 'run')),
  xpm_uuid TEXT,
  name TEXT,
  field TEXT,
  message TEXT NOT NULL,
  suggestion TEXT NOT NULL,
  first_seen_at TEXT NOT NULL,
  last_seen_at TEXT NOT NULL,
  times_seen INTEGER NOT NULL DEFAULT 1,
  first_run_id INTEGER NOT NULL REFERENCES sync_runs (id),
  last_run_id INTEGER NOT NULL REFERENCES sync_runs (id),
  resolved_at TEXT,
  cause TEXT, -- what is wrong with all records of one cause, to be read after their number; NULL for a single record
  remedy TEXT
) STRICT
;
INSERT INTO "sync_errors" VALUES(1,'staff-without-email','error','user','00000000-0000-4000-8000-000000000103','No Mail','email','This staff member has no e-mail address in XPM, and Active knows its users by it.','In XPM, Business > Settings > Staff, enter an e-mail address for No Mail.','2026-12-01T19:09:16Z','2026-12-01T19:09:16Z',2,1,3,NULL,'have no e-mail address in XPM, and Active knows its users by it','In XPM, Business > Settings > Staff, enter an e-mail address for each of them.');
INSERT INTO "sync_errors" VALUES(2,'client-code-shared','error','client','00000000-0000-4000-8000-000000000205','One of two','code','The client code TWO1 is shared with Other of two in XPM.','In XPM, Clients > One of two > Edit, give each of them a different client code.','2026-12-01T19:09:16Z','2026-12-01T19:09:16Z',2,1,3,NULL,'share the client code TWO1 in XPM','In XPM, Clients, open each of them, and under Edit enter a client code of its own.');
INSERT INTO "sync_errors" VALUES(3,'client-code-shared','error','client','00000000-0000-4000-8000-000000000206','Other of two','code','The client code two1 is shared with One of two in XPM.','In XPM, Clients > Other of two > Edit, give each of them a different client code.','2026-12-01T19:09:16Z','2026-12-01T19:09:16Z',2,1,3,NULL,'share the client code two1 in XPM','In XPM, Clients, open each of them, and under Edit enter a client code of its own.');
INSERT INTO "sync_errors" VALUES(4,'partner-without-email','error','client','00000000-0000-4000-8000-000000000204','Whose Partner Has No Mail','partner_id','The partner No Mail has no usable e-mail address in XPM, so the user of Active cannot be found.','In XPM, Business > Settings > Staff, enter the e-mail address of No Mail; or, if a user of Active is meant, run: xpmsync admin user link EMAIL --xpm-staff 00000000-0000-4000-8000-000000000103','2026-12-01T19:09:16Z','2026-12-01T19:09:16Z',2,1,3,NULL,'name the partner No Mail, who has no usable e-mail address in XPM','In XPM, Business > Settings > Staff, enter the e-mail address of No Mail; or, if a user of Active is meant, run: xpmsync admin user link EMAIL --xpm-staff 00000000-0000-4000-8000-000000000103');
INSERT INTO "sync_errors" VALUES(5,'partner-missing','error','client','00000000-0000-4000-8000-000000000203','No Partner','partner_id','This client has no partner in XPM, and the office MAIN has no default partner.','In XPM, Clients > No Partner > Edit, choose a partner; or give the office a default partner: xpmsync admin office set MAIN --default-partner EMAIL','2026-12-01T19:09:16Z','2026-12-01T19:09:16Z',2,1,3,NULL,'have no partner in XPM, and the office MAIN has no default partner','In XPM, Clients, open each of them, and under Edit choose a partner; or give the office a default partner: xpmsync admin office set MAIN --default-partner EMAIL');
INSERT INTO "sync_errors" VALUES(6,'elements-never-sent','warning','run',NULL,NULL,NULL,'XPM sends none of these elements: BusinessStructure, FirstName, LastName, Title of clients.','If your practice uses one of them, ask Xero support why the API leaves it out. If it uses none of them, hide this warning: xpmsync sync --accept 1. That also accepts elements-no-longer-sent, if it is open.','2026-12-01T19:09:16Z','2026-12-01T19:09:16Z',2,1,3,NULL,NULL,NULL);
INSERT INTO "sync_errors" VALUES(7,'xero-refused','error','run',NULL,NULL,NULL,'Xero refuses access to this practice: the connection was ended, or the person who connected has left or has lost a permission.','In Practice Manager, under Business > Settings > Staff > that person > Permissions, give them XPM administration privileges and the permission “Connect third-party add-ons” (in older practices: “Authorise 3rd Party Full Access”); or let somebody who has both run: xpmsync connect','2026-12-01T19:09:16Z','2026-12-01T19:09:16Z',1,2,2,'2026-12-01T19:09:16Z',NULL,NULL);
CREATE TABLE sync_runs (
  id INTEGER PRIMARY KEY,
  started_at TEXT NOT NULL,
  finished_at TEXT,
  tenant_id TEXT, -- of the practice
  mode TEXT NOT NULL CHECK (mode IN ('full', 'incremental')),
  status TEXT NOT NULL CHECK (status IN ('running', 'succeeded', 'failed', 'interrupted')),
  users_created INTEGER NOT NULL DEFAULT 0,
  users_updated INTEGER NOT NULL DEFAULT 0,
  users_unchanged INTEGER NOT NULL DEFAULT 0,
  users_skipped INTEGER NOT NULL DEFAULT 0,
  clients_created INTEGER NOT NULL DEFAULT 0,
  clients_updated INTEGER NOT NULL DEFAULT 0,
  clients_unchanged INTEGER NOT NULL DEFAULT 0,
  clients_skipped INTEGER NOT NULL DEFAULT 0,
  problems INTEGER NOT NULL DEFAULT 0,
  api_calls INTEGER NOT NULL DEFAULT 0,
  bytes_received INTEGER NOT NULL DEFAULT 0,
  day_calls_remaining INTEGER, -- of Xero's daily limit, after the run
  cursor_at TEXT, -- up to when, on Xero's own clock, everything has been told
  field_table TEXT, -- which supported fields the run read
  is_watched INTEGER NOT NULL DEFAULT 0, -- 1: a person was at the terminal
  suspicious TEXT, -- JSON: what the guard stopped the run for, by kind and number
  message TEXT,
  exit_code INTEGER
) STRICT
;
INSERT INTO "sync_runs" VALUES(1,'2026-12-01T19:09:16Z','2026-12-01T19:09:16Z','00000000-0000-4000-8000-000000000001','full','succeeded',3,0,0,1,3,0,0,4,6,3,2080,4997,'2026-12-01T19:09:16Z','3f46659b39fa6969',1,NULL,NULL,0);
INSERT INTO "sync_runs" VALUES(2,'2026-12-01T19:09:16Z','2026-12-01T19:09:16Z','00000000-0000-4000-8000-000000000001','incremental','failed',0,0,0,0,0,0,0,0,0,1,150,NULL,NULL,NULL,0,NULL,'Xero refuses access to this practice: the connection was ended, or the person who connected has left or has lost a permission.',7);
INSERT INTO "sync_runs" VALUES(3,'2026-12-01T19:09:16Z','2026-12-01T19:09:16Z','00000000-0000-4000-8000-000000000001','incremental','succeeded',0,0,3,1,0,1,2,4,6,3,2057,4994,'2026-12-01T20:09:16Z','3f46659b39fa6969',1,NULL,NULL,0);
CREATE TABLE synced_values (
  record_id TEXT NOT NULL PRIMARY KEY, -- of a user or client
  written TEXT NOT NULL -- JSON: the values that syncs wrote; an empty value in XPM clears these alone
) STRICT, WITHOUT ROWID
;
INSERT INTO "synced_values" VALUES('0f6ad07b-bd34-44e5-a8b4-f081766d5540','{"first_name": "Ann", "last_name": "Perera", "email": "ann@fern.example"}');
INSERT INTO "synced_values" VALUES('4f4f6fd4-b7f8-4af7-a39c-ba6fbc727a36','{"first_name": "Bo", "last_name": "Lee", "email": "bo@fern.example"}');
INSERT INTO "synced_values" VALUES('63ec49e1-de44-4090-a251-877d40fa1cfc','{"legal_name": "Rimu Holdings", "fax": "09 555 0000", "code": "RIM1", "partner_id": "0f6ad07b-bd34-44e5-a8b4-f081766d5540"}');
INSERT INTO "synced_values" VALUES('6ceabb09-cb78-448d-a98f-f097ffb8894f','{"legal_name": "Acmer Pty Ltd", "code": "ACM1", "residential_address_line_1": "Level 32", "residential_address_line_2": "188 Quay Street", "residential_address_suburb": "Auckland", "residential_address_post_code": "1010", "abn": "51824753556", "individual_salutation": "Sam", "partner_id": "0f6ad07b-bd34-44e5-a8b4-f081766d5540", "manager_id": "efe418dc-64dc-4c86-bffa-3cf4492064b1", "groups": ["26c13ff0-b8e8-42ea-b93f-3d56aacd5c0a"], "telephone": "(02) 5550 1234"}');
INSERT INTO "synced_values" VALUES('9e68bc3a-9b88-4495-a122-fa53e6bd7be8','{"legal_name": "Kōwhai & Daughters", "email": "office@kowhai.example", "code": "KOW1", "partner_id": "efe418dc-64dc-4c86-bffa-3cf4492064b1"}');
INSERT INTO "synced_values" VALUES('c94cd203-41ae-423e-939c-00dc4bf8fea3','{"partner_id": null}');
INSERT INTO "synced_values" VALUES('efe418dc-64dc-4c86-bffa-3cf4492064b1','{"first_name": "Tui", "last_name": "Moana", "email": "tui@fern.example"}');
CREATE TABLE user_modules (
  user_id TEXT NOT NULL REFERENCES users (id),
  module TEXT NOT NULL CHECK (module <> ''),
  PRIMARY KEY (user_id, module)
) STRICT, WITHOUT ROWID
;
INSERT INTO "user_modules" VALUES('0f6ad07b-bd34-44e5-a8b4-f081766d5540','Tax');
CREATE TABLE users (
  id TEXT NOT NULL PRIMARY KEY,
  first_name TEXT NOT NULL,
  last_name TEXT,
  email TEXT NOT NULL,
  email_key TEXT UNIQUE, -- the e-mail address whatever its case, kept by xpmsync
  role TEXT CHECK (role IN ('User', 'Admin', 'Owner')), -- the administrator's, like office and modules
  office_code TEXT REFERENCES offices (code),
  status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'removed', 'deactivated')),
  xpm_staff_uuid TEXT UNIQUE
) STRICT
;
INSERT INTO "users" VALUES('0f6ad07b-bd34-44e5-a8b4-f081766d5540','Ann','Perera','ann@fern.example','ann@fern.example','Admin','MAIN','active','00000000-0000-4000-8000-000000000100');
INSERT INTO "users" VALUES('efe418dc-64dc-4c86-bffa-3cf4492064b1','Tui','Moana','tui@fern.example','tui@fern.example',NULL,NULL,'active','00000000-0000-4000-8000-000000000101');
INSERT INTO "users" VALUES('4f4f6fd4-b7f8-4af7-a39c-ba6fbc727a36','Bo','Lee','bo@fern.example','bo@fern.example',NULL,NULL,'active','00000000-0000-4000-8000-000000000102');
CREATE TABLE xpm_clients (
  uuid TEXT NOT NULL PRIMARY KEY,
  is_archived TEXT,
  is_deleted TEXT,
  account_manager_uuid TEXT, -- the Partner of XPM's screens
  account_manager_name TEXT,
  job_manager_uuid TEXT,
  job_manager_name TEXT,
  name TEXT,
  first_name TEXT,
  last_name TEXT,
  title TEXT,
  email TEXT,
  phone TEXT,
  fax TEXT,
  client_code TEXT,
  address TEXT,
  city TEXT,
  region TEXT,
  post_code TEXT,
  postal_address TEXT,
  postal_city TEXT,
  postal_region TEXT,
  postal_post_code TEXT,
  business_number TEXT,
  business_structure TEXT,
  groups TEXT, -- JSON; NULL: XPM never told
  contacts TEXT, -- JSON: salutation and flags of each contact; NULL: XPM never told
  vanished_at TEXT -- when a full list first came without it
) STRICT, WITHOUT ROWID
;
INSERT INTO "xpm_clients" VALUES('00000000-0000-4000-8000-000000000200','No','No','00000000-0000-4000-8000-000000000100','Ann Perera','00000000-0000-4000-8000-000000000101','Tui Moana','Acmer Pty Ltd',NULL,NULL,NULL,NULL,'(02) 5550 1234',NULL,'ACM1','Level 32
   188 Quay Street','Auckland',NULL,'1010',NULL,NULL,NULL,NULL,'51824753556',NULL,'[{"uuid":"00000000-0000-4000-8000-000000000301","name":"The Acmers"}]','[{"salutation":"Sam","is_primary":"Yes","is_deleted":"No"}]',NULL);
INSERT INTO "xpm_clients" VALUES('00000000-0000-4000-8000-000000000201','No','No','00000000-0000-4000-8000-000000000101','Tui Moana',NULL,NULL,'Kōwhai & Daughters',NULL,NULL,NULL,'office@kowhai.example',NULL,NULL,'KOW1',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'[]','[]',NULL);
INSERT INTO "xpm_clients" VALUES('00000000-0000-4000-8000-000000000202','No','No','00000000-0000-4000-8000-000000000100','Ann Perera',NULL,NULL,'Rimu Holdings',NULL,NULL,NULL,NULL,NULL,'09 555 0000','RIM1',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'[]','[]',NULL);
INSERT INTO "xpm_clients" VALUES('00000000-0000-4000-8000-000000000203','No','No',NULL,NULL,NULL,NULL,'No Partner',NULL,NULL,NULL,NULL,NULL,NULL,'NOP1',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'[]','[]',NULL);
INSERT INTO "xpm_clients" VALUES('00000000-0000-4000-8000-000000000204','No','No','00000000-0000-4000-8000-000000000103','No Mail',NULL,NULL,'Whose Partner Has No Mail',NULL,NULL,NULL,NULL,NULL,NULL,'WHO1',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'[]','[]',NULL);
INSERT INTO "xpm_clients" VALUES('00000000-0000-4000-8000-000000000205','No','No','00000000-0000-4000-8000-000000000100','Ann Perera',NULL,NULL,'One of two',NULL,NULL,NULL,NULL,NULL,NULL,'TWO1',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'[]','[]',NULL);
INSERT INTO "xpm_clients" VALUES('00000000-0000-4000-8000-000000000206','No','No','00000000-0000-4000-8000-000000000100','Ann Perera',NULL,NULL,'Other of two',NULL,NULL,NULL,NULL,NULL,NULL,'two1',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'[]','[]',NULL);
CREATE TABLE xpm_groups (
  uuid TEXT NOT NULL PRIMARY KEY,
  name TEXT
) STRICT, WITHOUT ROWID
;
INSERT INTO "xpm_groups" VALUES('00000000-0000-4000-8000-000000000301','The Acmers');
CREATE TABLE xpm_staff (
  uuid TEXT NOT NULL PRIMARY KEY,
  name TEXT,
  email TEXT,
  vanished_at TEXT -- when a full list first came without it
) STRICT, WITHOUT ROWID
;
INSERT INTO "xpm_staff" VALUES('00000000-0000-4000-8000-000000000100','Ann Perera','ann@fern.example',NULL);
INSERT INTO "xpm_staff" VALUES('00000000-0000-4000-8000-000000000101','Tui Moana','tui@fern.example',NULL);
INSERT INTO "xpm_staff" VALUES('00000000-0000-4000-8000-000000000102','Bo Lee','bo@fern.example',NULL);
INSERT INTO "xpm_staff" VALUES('00000000-0000-4000-8000-000000000103','No Mail',NULL,NULL);
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");
CREATE UNIQUE INDEX users_email ON users (email COLLATE NOCASE);
CREATE UNIQUE INDEX clients_code ON clients (code COLLATE NOCASE);
CREATE INDEX clients_partner ON clients (partner_id);
CREATE INDEX clients_manager ON clients (manager_id);
CREATE INDEX client_group_members_by_group ON client_group_members (client_group_id);
CREATE INDEX changes_by_record ON changes (entity_id);
CREATE INDEX changes_by_run ON changes (run_id);
CREATE TRIGGER offices_insert AFTER INSERT ON offices BEGIN DELETE FROM standing_outcome WHERE id = 1; END;
CREATE TRIGGER offices_update AFTER UPDATE ON offices BEGIN DELETE FROM standing_outcome WHERE id = 1; END;
CREATE TRIGGER offices_delete AFTER DELETE ON offices BEGIN DELETE FROM standing_outcome WHERE id = 1; END;
CREATE TRIGGER users_insert AFTER INSERT ON users BEGIN DELETE FROM standing_outcome WHERE id = 1; END;
CREATE TRIGGER users_update AFTER UPDATE ON users BEGIN DELETE FROM standing_outcome WHERE id = 1; END;
CREATE TRIGGER users_delete AFTER DELETE ON users BEGIN DELETE FROM standing_outcome WHERE id = 1; END;
CREATE TRIGGER clients_insert AFTER INSERT ON clients BEGIN DELETE FROM standing_outcome WHERE id = 1; END;
CREATE TRIGGER clients_update AFTER UPDATE ON clients BEGIN DELETE FROM standing_outcome WHERE id = 1; END;
CREATE TRIGGER clients_delete AFTER DELETE ON clients BEGIN DELETE FROM standing_outcome WHERE id = 1; END;
CREATE TRIGGER client_groups_insert AFTER INSERT ON client_groups BEGIN DELETE FROM standing_outcome WHERE id = 1; END;
CREATE TRIGGER client_groups_update AFTER UPDATE ON client_groups BEGIN DELETE FROM standing_outcome WHERE id = 1; END;
CREATE TRIGGER client_groups_delete AFTER DELETE ON client_groups BEGIN DELETE FROM standing_outcome WHERE id = 1; END;
CREATE TRIGGER client_group_members_insert AFTER INSERT ON client_group_members BEGIN DELETE FROM standing_outcome WHERE id = 1; END;
CREATE TRIGGER client_group_members_update AFTER UPDATE ON client_group_members BEGIN DELETE FROM standing_outcome WHERE id = 1; END;
CREATE TRIGGER client_group_members_delete AFTER DELETE ON client_group_members BEGIN DELETE FROM standing_outcome WHERE id = 1; END;
CREATE TRIGGER synced_values_insert AFTER INSERT ON synced_values BEGIN DELETE FROM standing_outcome WHERE id = 1; END;
CREATE TRIGGER synced_values_update AFTER UPDATE ON synced_values BEGIN DELETE FROM standing_outcome WHERE id = 1; END;
CREATE TRIGGER synced_values_delete AFTER DELETE ON synced_values BEGIN DELETE FROM standing_outcome WHERE id = 1; END;
CREATE TRIGGER xpm_staff_insert AFTER INSERT ON xpm_staff BEGIN DELETE FROM standing_outcome WHERE id = 1; END;
CREATE TRIGGER xpm_staff_update AFTER UPDATE ON xpm_staff BEGIN DELETE FROM standing_outcome WHERE id = 1; END;
CREATE TRIGGER xpm_staff_delete AFTER DELETE ON xpm_staff BEGIN DELETE FROM standing_outcome WHERE id = 1; END;
CREATE TRIGGER xpm_clients_insert AFTER INSERT ON xpm_clients BEGIN DELETE FROM standing_outcome WHERE id = 1; END;
CREATE TRIGGER xpm_clients_update AFTER UPDATE ON xpm_clients BEGIN DELETE FROM standing_outcome WHERE id = 1; END;
CREATE TRIGGER xpm_clients_delete AFTER DELETE ON xpm_clients BEGIN DELETE FROM standing_outcome WHERE id = 1; END;
CREATE TRIGGER xpm_groups_insert AFTER INSERT ON xpm_groups BEGIN DELETE FROM standing_outcome WHERE id = 1; END;
CREATE TRIGGER xpm_groups_update AFTER UPDATE ON xpm_groups BEGIN DELETE FROM standing_outcome WHERE id = 1; END;
CREATE TRIGGER xpm_groups_delete AFTER DELETE ON xpm_groups BEGIN DELETE FROM standing_outcome WHERE id = 1; END;
CREATE VIEW run_list AS
SELECT
  id AS run, started_at, unixepoch(finished_at) - unixepoch(started_at) AS seconds, mode, status, message, problems,
  users_created, users_updated, users_skipped, clients_created, clients_updated, clients_skipped,
  api_calls, bytes_received, day_calls_remaining, exit_code
FROM sync_runs
ORDER BY id DESC;
CREATE VIEW change_list AS
SELECT
  changes.id, changes.changed_at, changes.entity,
  coalesce(
    clients.legal_name, trim(users.first_name || ' ' || coalesce(users.last_name, '')),
    client_groups.name, offices.name,
    -- A record that is gone, such as a user merged into another, keeps the name it was created with.
    (
      SELECT creation.new_value FROM changes AS creation
      WHERE creation.entity_id = changes.entity_id AND creation.action = 'created'
    )
  ) AS name,
  changes.action, changes.field,
  -- A user is told by name.
  coalesce(trim(old_user.first_name || ' ' || coalesce(old_user.last_name, '')), changes.old_value) AS old_value,
  coalesce(trim(new_user.first_name || ' ' || coalesce(new_user.last_name, '')), changes.new_value) AS new_value,
  changes.actor, changes.run_id
FROM changes
LEFT JOIN users AS old_user ON old_user.id = changes.old_value
LEFT JOIN users AS new_user ON new_user.id = changes.new_value
LEFT JOIN clients ON changes.entity = 'client' AND clients.id = changes.entity_id
LEFT JOIN users ON changes.entity = 'user' AND users.id = changes.entity_id
LEFT JOIN client_groups ON changes.entity = 'group' AND client_groups.id = changes.entity_id
LEFT JOIN offices ON changes.entity = 'office' AND offices.code = changes.entity_id
ORDER BY changes.id DESC;
CREATE INDEX former_staff_by_user ON former_staff (user_id);
CREATE TRIGGER former_staff_insert AFTER INSERT ON former_staff BEGIN DELETE FROM standing_outcome WHERE id = 1; END;
CREATE TRIGGER former_staff_update AFTER UPDATE ON former_staff BEGIN DELETE FROM standing_outcome WHERE id = 1; END;
CREATE TRIGGER former_staff_delete AFTER DELETE ON former_staff BEGIN DELETE FROM standing_outcome WHERE id = 1; END;
CREATE UNIQUE INDEX sync_errors_open ON sync_errors
  (code, entity, coalesce(xpm_uuid, ''), coalesce(field, '')) WHERE resolved_at IS NULL
;
CREATE VIEW open_errors AS
SELECT
  sync_errors.severity, sync_errors.entity, sync_errors.name, xpm_clients.client_code,
  sync_errors.message, sync_errors.suggestion,
  sync_errors.first_seen_at, sync_errors.last_seen_at, sync_errors.times_seen, sync_errors.code
FROM sync_errors
LEFT JOIN xpm_clients ON sync_errors.entity = 'client' AND xpm_clients.uuid = sync_errors.xpm_uuid
WHERE sync_errors.resolved_at IS NULL
ORDER BY sync_errors.severity, sync_errors.entity, sync_errors.code, sync_errors.name;
CREATE VIEW open_causes AS
SELECT
  severity, entity, count(*) AS records,
  -- Who they are, as long as that is quickly read; open_errors has them all.
  CASE WHEN count(*) <= 3 THEN group_concat(name, '; ') END AS names,
  CASE count(*) WHEN 1 THEN min(message) ELSE coalesce(
    count(*) || CASE entity WHEN 'client' THEN ' clients ' WHEN 'office' THEN ' offices ' ELSE ' staff members ' END
    || cause, message
  ) END AS cause,
  CASE count(*) WHEN 1 THEN min(suggestion) ELSE coalesce(remedy, suggestion) END AS remedy,
  min(first_seen_at) AS first_seen_at, max(last_seen_at) AS last_seen_at, code, min(id) AS first_error_id
FROM sync_errors
WHERE resolved_at IS NULL
GROUP BY severity, entity, code, lower(coalesce(sync_errors.cause, message)) -- it may quote a code or an address
ORDER BY severity, records DESC, code, cause;
CREATE VIEW error_list AS
SELECT
  sync_errors.id, sync_errors.severity, sync_errors.entity, sync_errors.name, xpm_clients.client_code,
  sync_errors.message, sync_errors.suggestion, sync_errors.first_seen_at, sync_errors.last_seen_at,
  sync_errors.times_seen, sync_errors.resolved_at, sync_errors.code
FROM sync_errors
LEFT JOIN xpm_clients ON sync_errors.entity = 'client' AND xpm_clients.uuid = sync_errors.xpm_uuid
ORDER BY sync_errors.id DESC;
CREATE VIEW client_list AS
SELECT
  clients.code, clients.legal_name, clients.entity_type, clients.abn, clients.status,
  trim(partner.first_name || ' ' || coalesce(partner.last_name, '')) AS partner,
  trim(manager.first_name || ' ' || coalesce(manager.last_name, '')) AS manager,
  offices.name AS office,
  (
    SELECT group_concat(name, '; ') FROM (
      SELECT client_groups.name
      FROM client_group_members JOIN client_groups ON client_groups.id = client_group_members.client_group_id
      WHERE client_group_members.client_id = clients.id ORDER BY client_groups.name
    )
  ) AS groups,
  clients.email, clients.telephone,
  clients.residential_address_suburb AS suburb, clients.residential_address_state AS state
FROM clients
LEFT JOIN users AS partner ON partner.id = clients.partner_id
LEFT JOIN users AS manager ON manager.id = clients.manager_id
LEFT JOIN offices ON offices.code = clients.office_code
ORDER BY clients.legal_name;
CREATE VIEW user_list AS
SELECT
  trim(users.first_name || ' ' || coalesce(users.last_name, '')) AS name, users.email, users.status,
  CASE WHEN users.status = 'active' THEN nullif(
    ltrim(
      CASE WHEN users.role IS NULL THEN ', a role' ELSE '' END
      || CASE WHEN offices.code IS NULL THEN ', an office' ELSE '' END
      || CASE WHEN NOT EXISTS (SELECT 1 FROM user_modules WHERE user_id = users.id) THEN ', modules' ELSE '' END,
      ', '
    ), ''
  ) END AS still_needs,
  users.role, offices.name AS office,
  (
    SELECT group_concat(module, '; ') FROM (SELECT module FROM user_modules WHERE user_id = users.id ORDER BY module)
  ) AS modules,
  (SELECT count(*) FROM clients WHERE partner_id = users.id AND clients.status = 'active') AS clients_as_partner,
  (SELECT count(*) FROM clients WHERE manager_id = users.id AND clients.status = 'active') AS clients_as_manager
FROM users LEFT JOIN offices ON offices.code = users.office_code
ORDER BY name, users.email;
PRAGMA user_version = 11;
COMMIT;
