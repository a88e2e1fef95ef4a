CREATE FUNCTION public.ledger_is_final() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$;
CREATE TABLE public.accounts (
    id bigint NOT NULL,
    name text,
    kind text,
    balance bigint,
    tariff text,
    blocked boolean,
    created timestamp with time zone,
    closed timestamp with time zone
);
CREATE SEQUENCE public.accounts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.accounts_id_seq OWNED BY public.accounts.id;
CREATE TABLE public.cdrs (
    id bigint NOT NULL,
    session text,
    account text,
    kind text,
    terminating boolean,
    calling text,
    called text,
    ic_id text,
    call_id text,
    started timestamp with time zone,
    answered timestamp with time zone,
    ended timestamp with time zone,
    duration bigint,
    billed bigint,
    octets bigint,
    events bigint,
    amount bigint,
    reserved bigint,
    returned bigint,
    uncollected bigint,
    unrated text,
    tariff text,
    tariff_version bigint,
    service_context text,
    client_host text,
    client_realm text,
    correlation text,
    refunds text,
    cause text,
    cause_code integer,
    s_ip_status bigint,
    q850 bigint
);
CREATE SEQUENCE public.cdrs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.cdrs_id_seq OWNED BY public.cdrs.id;
CREATE TABLE public.entries (
    id bigint NOT NULL,
    movement_id bigint,
    account_id bigint,
    amount bigint
);
CREATE SEQUENCE public.entries_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.entries_id_seq OWNED BY public.entries.id;
CREATE TABLE public.identities (
    uri text NOT NULL,
    account text
);
CREATE TABLE public.liveness (
    id smallint NOT NULL,
    at timestamp with time zone
);
CREATE TABLE public.movements (
    id bigint NOT NULL,
    at timestamp with time zone,
    kind text,
    session text,
    reference text,
    note text
);
CREATE SEQUENCE public.movements_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.movements_id_seq OWNED BY public.movements.id;
CREATE TABLE public.replies (
    session text NOT NULL,
    type bigint NOT NULL,
    number bigint NOT NULL,
    host text,
    realm text,
    answer text,
    at timestamp with time zone
);
CREATE TABLE public.sessions (
    id text NOT NULL,
    account text,
    client_host text,
    client_realm text,
    service_context text,
    method text,
    terminating boolean,
    called text,
    calling text,
    ic_id text,
    call_id text,
    tariff text,
    tariff_version bigint,
    services text,
    used bigint,
    granted bigint,
    charged bigint,
    reserved bigint,
    reservations bigint,
    returned bigint,
    uncollected bigint,
    unrated text,
    number bigint,
    exhausted boolean,
    started timestamp with time zone,
    answered timestamp with time zone,
    expires timestamp with time zone
);
CREATE TABLE public.spent_references (
    reference text NOT NULL,
    account bigint,
    amount bigint
);
CREATE TABLE public.tariff_versions (
    name text NOT NULL,
    version bigint NOT NULL,
    rates text,
    terms text,
    created timestamp with time zone
);
ALTER TABLE ONLY public.accounts ALTER COLUMN id SET DEFAULT nextval('public.accounts_id_seq'::regclass);
ALTER TABLE ONLY public.cdrs ALTER COLUMN id SET DEFAULT nextval('public.cdrs_id_seq'::regclass);
ALTER TABLE ONLY public.entries ALTER COLUMN id SET DEFAULT nextval('public.entries_id_seq'::regclass);
ALTER TABLE ONLY public.movements ALTER COLUMN id SET DEFAULT nextval('public.movements_id_seq'::regclass);
INSERT INTO public.accounts VALUES (3, 'network', 'brought forward', 0, '', false, '2026-11-28 21:16:50.987395+00', NULL);
INSERT INTO public.accounts VALUES (7, '15550002', 'reserved', 0, '', false, '2026-11-28 21:16:51.045794+00', NULL);
INSERT INTO public.accounts VALUES (2, 'network', 'cash', -1500, '', false, '2026-11-28 21:16:50.986328+00', NULL);
INSERT INTO public.accounts VALUES (6, '15550002', 'subscriber', 500, '', false, '2026-11-28 21:16:51.045794+00', NULL);
INSERT INTO public.accounts VALUES (1, 'network', 'revenue', 25, '', false, '2026-11-28 21:16:50.98047+00', NULL);
INSERT INTO public.accounts VALUES (4, '15550001', 'subscriber', 915, '', false, '2026-11-28 21:16:51.021966+00', NULL);
INSERT INTO public.accounts VALUES (5, '15550001', 'reserved', 60, '', false, '2026-11-28 21:16:51.021966+00', NULL);
INSERT INTO public.cdrs VALUES (1, 'nf;old;1', '15550001', 'call', false, 'tel:+15550001', 'tel:+15550002', 'icid-1', 'call-1', '2026-11-28 21:16:51.074172+00', '2026-11-28 21:16:51.074172+00', '2026-11-28 21:16:51.167733+00', 0, 25, 0, 0, 25, 60, 35, 0, '', 'standard', 1, '32260@3gpp.org', '', '', '', '', 'terminated', NULL, 0, 16);
INSERT INTO public.entries VALUES (11, 6, 3, -25);
INSERT INTO public.entries VALUES (12, 6, 1, 25);
INSERT INTO public.entries VALUES (13, 7, 3, 1500);
INSERT INTO public.entries VALUES (14, 7, 2, -1500);
INSERT INTO public.entries VALUES (15, 8, 3, -975);
INSERT INTO public.entries VALUES (16, 8, 4, 975);
INSERT INTO public.entries VALUES (17, 9, 3, -500);
INSERT INTO public.entries VALUES (18, 9, 6, 500);
INSERT INTO public.entries VALUES (19, 10, 4, -60);
INSERT INTO public.entries VALUES (20, 10, 5, 60);
INSERT INTO public.identities VALUES ('tel:+15550001', '15550001');
INSERT INTO public.identities VALUES ('tel:+15550002', '15550002');
INSERT INTO public.movements VALUES (6, '2026-11-28 21:16:51.168663+00', 'opening', '', NULL, 'brought forward');
INSERT INTO public.movements VALUES (7, '2026-11-28 21:16:51.168663+00', 'opening', '', NULL, 'brought forward');
INSERT INTO public.movements VALUES (8, '2026-11-28 21:16:51.168663+00', 'opening', '', NULL, 'brought forward');
INSERT INTO public.movements VALUES (9, '2026-11-28 21:16:51.168663+00', 'opening', '', NULL, 'brought forward');
INSERT INTO public.movements VALUES (10, '2026-11-28 21:16:51.277027+00', 'reserve', 'nf;old;2', NULL, '');
INSERT INTO public.replies VALUES ('nf;old;1', 1, 0, '', '', '{"SessionID":"","Result":{"Vendor":0,"Code":2001},"OriginHost":"","OriginRealm":"","ErrorMessage":"","Type":1,"Number":0,"SessionFailover":null,"GrantedServiceUnit":null,"MultipleServicesCreditControl":[{"Granted":{"ReportingReason":null,"TariffTimeChange":"0001-01-01T00:00:00Z","TariffChangeUsage":null,"Time":60,"Money":null,"TotalOctets":null,"InputOctets":null,"OutputOctets":null,"ServiceSpecificUnits":null},"Requested":null,"Used":null,"ServiceIdentifiers":null,"RatingGroup":100,"ValidityTime":3600,"ResultCode":2001,"FinalUnitIndication":null,"TimeQuotaThreshold":null,"QuotaHoldingTime":null,"ReportingReasons":null,"QuotaConsumptionTime":null,"VolumeQuotaThreshold":null,"UnitQuotaThreshold":null,"PoolReferences":null}],"CostInformation":null,"FinalUnitIndication":null,"CheckBalanceResult":null,"CreditControlFailureHandling":null,"DirectDebitingFailureHandling":null,"ValidityTime":null,"LowBalanceIndication":null,"RemainingBalance":null,"ServiceInformation":null,"Failed":null}', '2026-11-28 21:16:51.088584+00');
INSERT INTO public.replies VALUES ('nf;old;1', 3, 1, '', '', '{"SessionID":"","Result":{"Vendor":0,"Code":2001},"OriginHost":"","OriginRealm":"","ErrorMessage":"","Type":3,"Number":1,"SessionFailover":null,"GrantedServiceUnit":null,"MultipleServicesCreditControl":null,"CostInformation":{"Value":{"Digits":25,"Exponent":-2},"Currency":978,"Unit":""},"FinalUnitIndication":null,"CheckBalanceResult":null,"CreditControlFailureHandling":null,"DirectDebitingFailureHandling":null,"ValidityTime":null,"LowBalanceIndication":null,"RemainingBalance":null,"ServiceInformation":null,"Failed":null}', '2026-11-28 21:16:51.171939+00');
INSERT INTO public.replies VALUES ('nf;old;2', 1, 0, '', '', '{"SessionID":"","Result":{"Vendor":0,"Code":2001},"OriginHost":"","OriginRealm":"","ErrorMessage":"","Type":1,"Number":0,"SessionFailover":null,"GrantedServiceUnit":null,"MultipleServicesCreditControl":[{"Granted":{"ReportingReason":null,"TariffTimeChange":"0001-01-01T00:00:00Z","TariffChangeUsage":null,"Time":60,"Money":null,"TotalOctets":null,"InputOctets":null,"OutputOctets":null,"ServiceSpecificUnits":null},"Requested":null,"Used":null,"ServiceIdentifiers":null,"RatingGroup":100,"ValidityTime":3600,"ResultCode":2001,"FinalUnitIndication":null,"TimeQuotaThreshold":null,"QuotaHoldingTime":null,"ReportingReasons":null,"QuotaConsumptionTime":null,"VolumeQuotaThreshold":null,"UnitQuotaThreshold":null,"PoolReferences":null}],"CostInformation":null,"FinalUnitIndication":null,"CheckBalanceResult":null,"CreditControlFailureHandling":null,"DirectDebitingFailureHandling":null,"ValidityTime":null,"LowBalanceIndication":null,"RemainingBalance":null,"ServiceInformation":null,"Failed":null}', '2026-11-28 21:16:51.288325+00');
INSERT INTO public.sessions VALUES ('nf;old;2', '15550001', '', '', '32260@3gpp.org', 'INVITE', false, 'tel:+15550002', 'tel:+15550001', 'icid-1', 'call-1', 'standard', 1, '[{"key":"rating group 100","rating_group":100,"unit":"seconds","rate":{"prefix":"","price":1,"interval":1,"event_price":10},"used":0,"granted":60,"charged":0,"reserved":60}]', 0, 60, 0, 60, 60, 0, 0, NULL, 0, false, '2026-11-28 21:16:51.273421+00', NULL, '2026-11-28 22:21:51.273421+00');
INSERT INTO public.tariff_versions VALUES ('standard', 1, '[{"prefix":"","price":1,"interval":1,"event_price":10}]', '{}', '2026-11-28 21:16:51.065418+00');
SELECT pg_catalog.setval('public.accounts_id_seq', 7, true);
SELECT pg_catalog.setval('public.cdrs_id_seq', 1, true);
SELECT pg_catalog.setval('public.entries_id_seq', 20, true);
SELECT pg_catalog.setval('public.movements_id_seq', 10, true);
ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.cdrs
    ADD CONSTRAINT cdrs_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.entries
    ADD CONSTRAINT entries_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.identities
    ADD CONSTRAINT identities_pkey PRIMARY KEY (uri);
ALTER TABLE ONLY public.liveness
    ADD CONSTRAINT liveness_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.movements
    ADD CONSTRAINT movements_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.replies
    ADD CONSTRAINT replies_pkey PRIMARY KEY (session, type, number);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.spent_references
    ADD CONSTRAINT spent_references_pkey PRIMARY KEY (reference);
ALTER TABLE ONLY public.tariff_versions
    ADD CONSTRAINT tariff_versions_pkey PRIMARY KEY (name, version);
CREATE UNIQUE INDEX account_name ON public.accounts USING btree (name, kind);
CREATE INDEX idx_cdrs_account ON public.cdrs USING btree (account);
CREATE INDEX idx_cdrs_ended ON public.cdrs USING btree (ended);
CREATE INDEX idx_cdrs_session ON public.cdrs USING btree (session);
CREATE INDEX idx_entries_account_id ON public.entries USING btree (account_id);
CREATE INDEX idx_entries_movement_id ON public.entries USING btree (movement_id);
CREATE INDEX idx_identities_account ON public.identities USING btree (account);
CREATE INDEX idx_movements_at ON public.movements USING btree (at);
CREATE UNIQUE INDEX idx_movements_reference ON public.movements USING btree (reference);
CREATE INDEX idx_movements_session ON public.movements USING btree (session);
CREATE INDEX idx_replies_at ON public.replies USING btree (at);
CREATE INDEX idx_sessions_account ON public.sessions USING btree (account);
CREATE INDEX idx_sessions_expires ON public.sessions USING btree (expires);
CREATE TRIGGER final_entries BEFORE DELETE OR UPDATE ON public.entries FOR EACH ROW EXECUTE FUNCTION public.ledger_is_final();
CREATE TRIGGER final_movements BEFORE DELETE OR UPDATE ON public.movements FOR EACH ROW EXECUTE FUNCTION public.ledger_is_final();
ALTER TABLE ONLY public.entries
    ADD CONSTRAINT fk_movements_entries FOREIGN KEY (movement_id) REFERENCES public.movements(id);
