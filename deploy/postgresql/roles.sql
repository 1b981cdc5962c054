-- Roles and database of a gateway. Run once, as a superuser, with psql; passwords are set afterwards
-- with \password. What each role may do in the tables is given by `gateway database grant`.

\set ON_ERROR_STOP on

CREATE ROLE gateway_owner LOGIN;    -- makes and changes tables; used for upgrades alone
CREATE ROLE gateway_server LOGIN;   -- the running server: adds rows, changes few, makes no tables
CREATE ROLE gateway_auditor LOGIN;  -- reads

ALTER ROLE gateway_auditor SET default_transaction_read_only = on;
-- The server holds at most 33 sessions. A limit keeps a stolen password from taking all there are.
ALTER ROLE gateway_server CONNECTION LIMIT 40;

CREATE DATABASE gateway OWNER gateway_owner ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE gateway FROM PUBLIC;
GRANT CONNECT ON DATABASE gateway TO gateway_server, gateway_auditor;

\connect gateway

-- Before version 15 everyone may make tables here.
ALTER SCHEMA public OWNER TO gateway_owner;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO gateway_server, gateway_auditor;
