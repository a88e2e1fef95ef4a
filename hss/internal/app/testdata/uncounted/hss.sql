CREATE TABLE public.liveness (
    id smallint NOT NULL,
    at timestamp with time zone
);
CREATE TABLE public.marks (
    name text NOT NULL,
    value text
);
CREATE TABLE public.private_identities (
    id bigint NOT NULL,
    subscription_id bigint NOT NULL,
    identity text NOT NULL,
    imsi text,
    msisdn text,
    scheme text NOT NULL,
    algorithm text,
    operator text,
    amf text,
    res bigint,
    keccak bigint,
    sqn bigint,
    sealed_k bytea,
    sealed_op bytea,
    sealed_o_pc bytea,
    sealed_password bytea,
    visited_networks text
);
CREATE SEQUENCE public.private_identities_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.private_identities_id_seq OWNED BY public.private_identities.id;
CREATE TABLE public.public_identities (
    id bigint NOT NULL,
    subscription_id bigint NOT NULL,
    set_id bigint NOT NULL,
    "position" bigint,
    identity text NOT NULL,
    kind text NOT NULL,
    wildcard boolean,
    display_name text,
    barred boolean,
    may_register boolean,
    profile_id bigint,
    alias_group text,
    application_server text
);
CREATE SEQUENCE public.public_identities_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.public_identities_id_seq OWNED BY public.public_identities.id;
CREATE TABLE public.pushes (
    id bigint NOT NULL,
    command text,
    server_host text,
    private_identity text,
    other_identities text,
    public_identities text,
    reason bigint,
    info text,
    created timestamp with time zone,
    finished timestamp with time zone,
    state text,
    attempts bigint,
    next timestamp with time zone,
    result text
);
CREATE SEQUENCE public.pushes_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.pushes_id_seq OWNED BY public.pushes.id;
CREATE TABLE public.registration_sets (
    id bigint NOT NULL,
    subscription_id bigint NOT NULL,
    number bigint NOT NULL,
    unregistered boolean,
    loose_route boolean
);
CREATE SEQUENCE public.registration_sets_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.registration_sets_id_seq OWNED BY public.registration_sets.id;
CREATE TABLE public.registrations (
    private_id bigint NOT NULL,
    set_id bigint NOT NULL,
    registered boolean,
    auth_pending boolean,
    since timestamp with time zone,
    restoration bytea
);
CREATE TABLE public.service_profiles (
    id bigint NOT NULL,
    name text NOT NULL,
    filter_criteria text,
    shared_sets text,
    subscribed_media_profile bigint,
    unregistered_services boolean
);
CREATE SEQUENCE public.service_profiles_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.service_profiles_id_seq OWNED BY public.service_profiles.id;
CREATE TABLE public.shared_filter_criteria (
    number bigint NOT NULL,
    filter_criteria text,
    unregistered_services boolean
);
CREATE TABLE public.subscriptions (
    id bigint NOT NULL,
    name text NOT NULL,
    server_name text,
    server_host text,
    previous_host text,
    features bigint,
    capability_mandatory text,
    capability_optional text,
    capability_server_names text,
    charging_primary_event_charging_function text,
    charging_secondary_event_charging_function text,
    charging_primary_charging_collection_function text,
    charging_secondary_charging_collection_function text
);
CREATE SEQUENCE public.subscriptions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.subscriptions_id_seq OWNED BY public.subscriptions.id;
ALTER TABLE ONLY public.private_identities ALTER COLUMN id SET DEFAULT nextval('public.private_identities_id_seq'::regclass);
ALTER TABLE ONLY public.public_identities ALTER COLUMN id SET DEFAULT nextval('public.public_identities_id_seq'::regclass);
ALTER TABLE ONLY public.pushes ALTER COLUMN id SET DEFAULT nextval('public.pushes_id_seq'::regclass);
ALTER TABLE ONLY public.registration_sets ALTER COLUMN id SET DEFAULT nextval('public.registration_sets_id_seq'::regclass);
ALTER TABLE ONLY public.service_profiles ALTER COLUMN id SET DEFAULT nextval('public.service_profiles_id_seq'::regclass);
ALTER TABLE ONLY public.subscriptions ALTER COLUMN id SET DEFAULT nextval('public.subscriptions_id_seq'::regclass);
INSERT INTO public.marks VALUES ('running', 'no');
INSERT INTO public.private_identities VALUES (2, 2, 'bob@ims.mnc001.mcc001.3gppnetwork.org', '', '', 'sip-digest', 'md5', '', '', 0, 0, 0, NULL, NULL, NULL, '\x0100000001392ab23517fd4464d6101773bc16a7f4e32148acb18937ad2f23efecf3d59c38981d4d29b067adbec8319d22f2d0', NULL);
INSERT INTO public.private_identities VALUES (1, 1, '001010000000001@ims.mnc001.mcc001.3gppnetwork.org', '001010000000001', '15550001', 'aka', 'milenage', 'opc', '8000', 0, 0, 33, '\x0100000001c47548eafd5260c51f906f300b98d4a743bab5f97ce52d4ecbfaf9c7746f4ea42cc404776cd441a730828d9412d2da2fc519f91ab2fe3768', NULL, '\x010000000115cc9ddd6c1a57fa471cfdd8eec223abb456fab529ffb65e45e207dae9df7a72f7325b4a694dd278d52924d341bc4de617df9051db22d0c8', NULL, NULL);
INSERT INTO public.public_identities VALUES (4, 2, 2, 0, 'sip:bob@ims.mnc001.mcc001.3gppnetwork.org', 'user', false, '', false, true, 1, '', '');
INSERT INTO public.public_identities VALUES (1, 1, 1, 0, 'sip:001010000000001@ims.mnc001.mcc001.3gppnetwork.org', 'user', false, '', true, true, 1, '', '');
INSERT INTO public.public_identities VALUES (2, 1, 1, 1, 'sip:+15550001@ims.mnc001.mcc001.3gppnetwork.org', 'user', false, '', false, true, 1, '', '');
INSERT INTO public.public_identities VALUES (3, 1, 1, 2, 'tel:+15550001', 'user', false, 'Alice', false, true, 2, '', '');
INSERT INTO public.public_identities VALUES (5, 1, 1, 3, 'sip:chat-!.*!@ims.mnc001.mcc001.3gppnetwork.org', 'user', true, '', false, true, 0, '', '');
INSERT INTO public.pushes VALUES (1, 'PPR', 'scscf.ims.mnc001.mcc001.3gppnetwork.org', '001010000000001@ims.mnc001.mcc001.3gppnetwork.org', NULL, '["sip:001010000000001@ims.mnc001.mcc001.3gppnetwork.org"]', 0, '', '2026-11-28 21:16:38.626433+00', '0001-01-01 00:00:00+00', 'pending', 0, '2026-11-28 21:16:38.626433+00', '');
INSERT INTO public.registration_sets VALUES (2, 2, 1, false, false);
INSERT INTO public.registration_sets VALUES (1, 1, 1, false, false);
INSERT INTO public.registrations VALUES (2, 2, false, false, '0001-01-01 00:00:00+00', NULL);
INSERT INTO public.registrations VALUES (1, 1, true, false, '2026-11-28 21:16:38.605+00', NULL);
INSERT INTO public.service_profiles VALUES (1, 'default', '', NULL, NULL, false);
INSERT INTO public.service_profiles VALUES (2, 'voicemail', '<InitialFilterCriteria>
 <Priority>0</Priority>
 <ApplicationServer>
  <ServerName>sip:voicemail.as</ServerName>
  <DefaultHandling>0</DefaultHandling>
 </ApplicationServer>
</InitialFilterCriteria>
', '[4]', NULL, true);
INSERT INTO public.shared_filter_criteria VALUES (4, '<InitialFilterCriteria>
 <Priority>0</Priority>
 <ApplicationServer>
  <ServerName>sip:shared.as</ServerName>
  <DefaultHandling>0</DefaultHandling>
 </ApplicationServer>
</InitialFilterCriteria>
', true);
INSERT INTO public.subscriptions VALUES (2, 'bob', '', '', '', 0, NULL, NULL, NULL, '', '', '', '');
INSERT INTO public.subscriptions VALUES (1, '001010000000001', 'sip:scscf.ims.mnc001.mcc001.3gppnetwork.org:5060', 'scscf.ims.mnc001.mcc001.3gppnetwork.org', '', 0, NULL, NULL, NULL, '', '', '', '');
SELECT pg_catalog.setval('public.private_identities_id_seq', 2, true);
SELECT pg_catalog.setval('public.public_identities_id_seq', 5, true);
SELECT pg_catalog.setval('public.pushes_id_seq', 1, true);
SELECT pg_catalog.setval('public.registration_sets_id_seq', 2, true);
SELECT pg_catalog.setval('public.service_profiles_id_seq', 2, true);
SELECT pg_catalog.setval('public.subscriptions_id_seq', 2, true);
ALTER TABLE ONLY public.liveness
    ADD CONSTRAINT liveness_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.marks
    ADD CONSTRAINT marks_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.private_identities
    ADD CONSTRAINT private_identities_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.public_identities
    ADD CONSTRAINT public_identities_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.pushes
    ADD CONSTRAINT pushes_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.registration_sets
    ADD CONSTRAINT registration_sets_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.registrations
    ADD CONSTRAINT registrations_pkey PRIMARY KEY (private_id, set_id);
ALTER TABLE ONLY public.service_profiles
    ADD CONSTRAINT service_profiles_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.shared_filter_criteria
    ADD CONSTRAINT shared_filter_criteria_pkey PRIMARY KEY (number);
ALTER TABLE ONLY public.subscriptions
    ADD CONSTRAINT subscriptions_pkey PRIMARY KEY (id);
CREATE UNIQUE INDEX idx_private_identities_identity ON public.private_identities USING btree (identity);
CREATE INDEX idx_private_identities_imsi ON public.private_identities USING btree (imsi);
CREATE INDEX idx_private_identities_msisdn ON public.private_identities USING btree (msisdn);
CREATE INDEX idx_private_identities_subscription_id ON public.private_identities USING btree (subscription_id);
CREATE UNIQUE INDEX idx_public_identities_identity ON public.public_identities USING btree (identity);
CREATE INDEX idx_public_identities_profile_id ON public.public_identities USING btree (profile_id);
CREATE INDEX idx_public_identities_set_id ON public.public_identities USING btree (set_id);
CREATE INDEX idx_public_identities_subscription_id ON public.public_identities USING btree (subscription_id);
CREATE INDEX idx_public_identities_wildcard ON public.public_identities USING btree (wildcard);
CREATE INDEX idx_pushes_state ON public.pushes USING btree (state);
CREATE INDEX idx_registrations_set_id ON public.registrations USING btree (set_id);
CREATE UNIQUE INDEX idx_service_profiles_name ON public.service_profiles USING btree (name);
CREATE UNIQUE INDEX idx_subscriptions_name ON public.subscriptions USING btree (name);
CREATE UNIQUE INDEX set_number ON public.registration_sets USING btree (subscription_id, number);
