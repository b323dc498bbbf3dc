PRAGMA application_id = 1383481972;
PRAGMA user_version = 3;
BEGIN TRANSACTION;
CREATE TABLE artifacts (
    attempt_key TEXT NOT NULL REFERENCES attempts ("key"),
    n INTEGER NOT NULL CHECK (n >= 1),
    url TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('wanted', 'partial', 'verified', 'unverified', 'quarantined', 'gone')),
    file TEXT,
    sha256 TEXT,
    bytes INTEGER CHECK (bytes >= 0),
    type TEXT,
    life_id INTEGER REFERENCES lives (life_id),
    PRIMARY KEY (attempt_key, n)
) STRICT;
INSERT INTO "artifacts" VALUES('rvb1-ragp66p5fcacws3gdigy4bn3am7kxbh6',1,'https://cdn.example/1','wanted',NULL,NULL,NULL,NULL,1);
INSERT INTO "artifacts" VALUES('rvb1-ragp66p5fcacws3gdigy4bn3am7kxbh6',2,'https://cdn.example/2','wanted',NULL,NULL,NULL,NULL,1);
INSERT INTO "artifacts" VALUES('rvb1-azgfynjvevtnwa5r6clqbwermyfzrisl',1,'https://cdn.example/1','verified','reveal/5.mp4','ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',7,'video/mp4',1);
INSERT INTO "artifacts" VALUES('rvb1-azgfynjvevtnwa5r6clqbwermyfzrisl',2,'https://cdn.example/2','partial',NULL,NULL,NULL,NULL,1);
INSERT INTO "artifacts" VALUES('rvb1-s6sr2y4kw5cclfq6axivm3xq4fvmmo4r',1,'https://cdn.example/1','gone',NULL,NULL,NULL,NULL,1);
INSERT INTO "artifacts" VALUES('rvb1-s6sr2y4kw5cclfq6axivm3xq4fvmmo4r',2,'https://cdn.example/2','gone',NULL,NULL,NULL,NULL,1);
INSERT INTO "artifacts" VALUES('rvb1-f4oryvmn772dtjwy7zmpbx6p7v7zooez',1,'https://cdn.example/1','wanted',NULL,NULL,NULL,NULL,1);
INSERT INTO "artifacts" VALUES('rvb1-f4oryvmn772dtjwy7zmpbx6p7v7zooez',2,'https://cdn.example/2','wanted',NULL,NULL,NULL,NULL,1);
INSERT INTO "artifacts" VALUES('rvb1-wclof42fmkc4yxijk63k4uehhyyc7sdr',1,'https://cdn.example/1','verified','reveal/16.mp4','ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',7,'video/mp4',1);
INSERT INTO "artifacts" VALUES('rvb1-wclof42fmkc4yxijk63k4uehhyyc7sdr',2,'https://cdn.example/2','partial',NULL,NULL,NULL,NULL,1);
INSERT INTO "artifacts" VALUES('rvb1-klg44wwtkojsyzhhmvyrb6tttvqhd6fb',1,'https://cdn.example/1','verified','reveal/90.mp4','ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',7,'video/mp4',2);
INSERT INTO "artifacts" VALUES('rvb1-klg44wwtkojsyzhhmvyrb6tttvqhd6fb',2,'https://cdn.example/2','partial',NULL,NULL,NULL,NULL,2);
CREATE TABLE attempts (
    "key" TEXT PRIMARY KEY NOT NULL CHECK (length("key") BETWEEN 1 AND 64),
    identity TEXT NOT NULL REFERENCES items (identity),
    epoch INTEGER NOT NULL CHECK (epoch >= 0),
    ordinal INTEGER NOT NULL CHECK (ordinal >= 0),
    scope TEXT NOT NULL,
    price_class TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN (
        'submitting', 'accepted', 'succeeded', 'failed', 'rejected', 'uncertain', 'vanished', 'stalled'
    )),
    bound INTEGER NOT NULL CHECK (bound >= 0),
    reserved INTEGER NOT NULL CHECK (reserved >= 0),
    settled INTEGER NOT NULL DEFAULT 0 CHECK (settled >= 0),
    ambiguous INTEGER NOT NULL DEFAULT 0 CHECK (ambiguous IN (0, 1)),
    sends INTEGER NOT NULL DEFAULT 0 CHECK (sends >= 0),
    task_id TEXT CHECK (task_id <> ''),
    reserved_credits INTEGER CHECK (reserved_credits >= 0),
    final_credits INTEGER CHECK (final_credits >= 0),
    server_at_s REAL NOT NULL,
    opened_at_s REAL NOT NULL,
    accepted_at_s REAL,
    finished_at_s REAL,
    body_sha256 TEXT NOT NULL CHECK (length(body_sha256) = 64),
    body BLOB NOT NULL, -- last, so that reading the rest of a row need not pass it
    UNIQUE (identity, epoch, ordinal),
    CHECK (reserved = 0 OR state IN ('submitting', 'accepted', 'uncertain', 'vanished', 'stalled')),
    CHECK (settled = 0 OR state IN ('succeeded', 'failed')),
    CHECK (state NOT IN ('accepted', 'vanished', 'stalled', 'succeeded') OR task_id IS NOT NULL)
) STRICT;
INSERT INTO "attempts" VALUES('rvb1-iesayibmrqkxmcan3n4uuqeqxdh32wdz','i1-32kg2xpkiwhvvumccubvg5pqtsdfbmvl',0,1,'night','seedance?duration=8','submitting',10,10,0,0,0,NULL,NULL,NULL,999.75,1001.0,NULL,NULL,'ae4ba0e5baa84d962f0ffdb8f6ae6bda4d54773863a2d23c37367de51d43e34c',X'7B226D6F64656C223A2273656564616E6365227D727662312D696573617969626D72716B786D63616E336E347575716571786468333277647A');
INSERT INTO "attempts" VALUES('rvb1-4pmho24p6ieekawjilwlbr4csogp4le6','i1-dfvdq2wwhxe6vazbcvibnkhwjxb6i5q7',0,1,'night','seedance?duration=8','submitting',10,10,0,1,1,NULL,NULL,NULL,1000.75,1002.0,NULL,NULL,'0e0116a085868c63e89cac69f8a6b92b417b79e1c8fa87c89f9f49c3ca0877da',X'7B226D6F64656C223A2273656564616E6365227D727662312D34706D686F323470366965656B61776A696C776C62723463736F6770346C6536');
INSERT INTO "attempts" VALUES('rvb1-4jppjwnivfiqumh2g3bvz4hr3gteq7me','i1-4qusg3tr25ltk7k75467c46beihdm4pu',0,1,'night','seedance?duration=8','accepted',10,10,0,0,1,'task-3-1004',9,NULL,1002.75,1004.0,1005.0,NULL,'9aa0b154d2916622dd5a6b0d44f74ebe7b235c55d9f1053fa6347db2b32c7a15',X'7B226D6F64656C223A2273656564616E6365227D727662312D346A70706A776E6976666971756D6832673362767A3468723367746571376D65');
INSERT INTO "attempts" VALUES('rvb1-ragp66p5fcacws3gdigy4bn3am7kxbh6','i1-nfgbpmqagyg7y5sg23sl7yrbutgg44qx',0,1,'night','seedance?duration=8','succeeded',10,0,9,0,1,'task-4-1006',9,9,1004.75,1006.0,1007.0,1008.0,'4bdb4674b33e5b6d296cd922da4ae2dd95755d965ea2722c45ef09f866b92072',X'7B226D6F64656C223A2273656564616E6365227D727662312D726167703636703566636163777333676469677934626E33616D376B78626836');
INSERT INTO "attempts" VALUES('rvb1-azgfynjvevtnwa5r6clqbwermyfzrisl','i1-szf5vowfuqr76vapalos5qlnkvcvmb6p',0,1,'night','seedance?duration=8','succeeded',10,0,9,0,1,'task-5-1009',9,9,1007.75,1009.0,1010.0,1011.0,'5943c673bbb88af9b6689c664c7e3c749f226cc5d9237f3b19e3e7b75daa7a6a',X'7B226D6F64656C223A2273656564616E6365227D727662312D617A6766796E6A766576746E7761357236636C71627765726D79667A7269736C');
INSERT INTO "attempts" VALUES('rvb1-s6sr2y4kw5cclfq6axivm3xq4fvmmo4r','i1-gd3d25qr5t6xvc57muwxoeo5lnwg47fe',0,1,'night','seedance?duration=8','succeeded',10,0,9,0,1,'task-6-1014',9,9,1012.75,1014.0,1015.0,1016.0,'c27e08addd7c1d88e43aeb452c29942f5a7706331c8d832ec83a6e91878b258d',X'7B226D6F64656C223A2273656564616E6365227D727662312D733673723279346B773563636C667136617869766D3378713466766D6D6F3472');
INSERT INTO "attempts" VALUES('rvb1-rkwy7zc7vkq2p4tfw7lathdhmgg3r427','i1-lyrjm5adgmreacqedezu5zie6asqxiup',0,1,'night','seedance?duration=8','failed',10,0,0,0,1,'task-7-1019',9,0,1017.75,1019.0,1020.0,1021.0,'12b8e2674ec70351043c58bd1411d34a7482291e78bbfc072d01074d22873995',X'7B226D6F64656C223A2273656564616E6365227D727662312D726B7779377A6337766B71327034746677376C61746864686D67673372343237');
INSERT INTO "attempts" VALUES('rvb1-jpgna4p6k4qxyhfiwcyqmqptgewhapwr','i1-lyrjm5adgmreacqedezu5zie6asqxiup',0,2,'night','seedance?duration=8','failed',10,0,0,0,1,'task-7-1022',9,0,1020.75,1022.0,1023.0,1024.0,'ef00d9180c374ac2a07d8775e0a64836ba7af5f7714d02f2b549d0c60711f2ad',X'7B226D6F64656C223A2273656564616E6365227D727662312D6A70676E613470366B34717879686669776379716D7170746765776861707772');
INSERT INTO "attempts" VALUES('rvb1-77i7wagdaf33wazizum5a6gcnweigsfo','i1-ikmzuupon7ibchl65yuzooeihvo5q2wj',0,1,'night','seedance?duration=8','rejected',10,0,0,0,1,NULL,NULL,NULL,1023.75,1025.0,NULL,1026.0,'31e96758641f56d07ce8bc92c409fecb2a34cbb1020fc160f6c6acbd4ab68011',X'7B226D6F64656C223A2273656564616E6365227D727662312D37376937776167646166333377617A697A756D35613667636E7765696773666F');
INSERT INTO "attempts" VALUES('rvb1-qgfdjlzbia6lplqum7rqwzkng7j2rtuk','i1-rvzkcz5v4yasjv24mccxapwwfxnlgqs5',0,1,'night','seedance?duration=8','uncertain',10,10,0,1,1,NULL,NULL,NULL,1026.75,1028.0,NULL,NULL,'3ebca1578776b715ea2a8fdebba7bb74fa95e43336f0c453a5487397a324ccee',X'7B226D6F64656C223A2273656564616E6365227D727662312D716766646A6C7A626961366C706C71756D377271777A6B6E67376A327274756B');
INSERT INTO "attempts" VALUES('rvb1-6aul7t6zwmd7bggexam7nj7byxjanrit','i1-qunn2t2kan5qjajbtdyyroc3ljnmjuer',0,1,'night','seedance?duration=8','vanished',10,10,0,0,1,'task-11-1031',9,NULL,1029.75,1031.0,1032.0,NULL,'bdb049e7ffaa3e714b3875a0a1feb1ea0ec104497f45bdce8fd263633ff4de30',X'7B226D6F64656C223A2273656564616E6365227D727662312D3661756C3774367A776D64376267676578616D376E6A376279786A616E726974');
INSERT INTO "attempts" VALUES('rvb1-d3glnxx7zqtxzbiuzokkj6ws224jdih4','i1-6tph7e6qlflo2tosn6w7j3xw6erpb2tp',0,1,'night','seedance?duration=8','stalled',10,11,0,0,1,'task-12-1034',11,NULL,1032.75,1034.0,1035.0,NULL,'05d43cad7a8bb8fc759a67b287523fadc997c78e9b83d7ddaf07b63c23a9c267',X'7B226D6F64656C223A2273656564616E6365227D727662312D6433676C6E7878377A7174787A6269757A6F6B6B6A3677733232346A64696834');
INSERT INTO "attempts" VALUES('rvb1-i53tezwvpd25vcb6bk4jgcxaa6agzhsc','i1-7ypt34iuepgt6qqulnkevgzaocg7ekam',0,1,'night','seedance?duration=8','failed',10,0,10,1,1,NULL,NULL,NULL,1036.75,1038.0,NULL,1041.0,'0ff183d7a80d30f138426f71e9cb9546186696bb1a753e23e8ea81e8acc22bcf',X'7B226D6F64656C223A2273656564616E6365227D727662312D69353374657A77767064323576636236626B346A67637861613661677A687363');
INSERT INTO "attempts" VALUES('rvb1-f4oryvmn772dtjwy7zmpbx6p7v7zooez','i1-2lslbp32wnzkp26a4flky6ciuveus6s2',0,1,'night','seedance?duration=8','succeeded',10,0,5,0,1,'task-14-1042',9,9,1040.75,1042.0,1043.0,1044.0,'d7129c1b5dcce8c1c11dc9ad95f34d34022fba17b377fa869fb4e1536cd31d6e',X'7B226D6F64656C223A2273656564616E6365227D727662312D66346F7279766D6E37373264746A7779377A6D70627836703776377A6F6F657A');
INSERT INTO "attempts" VALUES('rvb1-azerkhegshb5ktfkqjejqvbg34r2u5ep','i1-5ntq7u7aoqnaqy4okqjhlmkt2s5szszt',0,1,'night','seedance?duration=8','accepted',10,10,0,1,1,'task-by-hand',NULL,NULL,1044.75,1046.0,1049.0,NULL,'faa04451ce682bf3f47faac12fcf62622a085f1efa74ed3b75341419dd81b6fb',X'7B226D6F64656C223A2273656564616E6365227D727662312D617A65726B686567736862356B74666B716A656A717662673334723275356570');
INSERT INTO "attempts" VALUES('rvb1-wclof42fmkc4yxijk63k4uehhyyc7sdr','i1-pbrwllarsxsm4swedwndrxyxs6hwwrsp',0,1,'night','seedance?duration=8','succeeded',10,0,9,0,1,'task-16-1050',9,9,1048.75,1050.0,1051.0,1052.0,'52dc049e584d728f738594723ea802d34d35691fda7d1b7fb3f7023457f11822',X'7B226D6F64656C223A2273656564616E6365227D727662312D77636C6F663432666D6B63347978696A6B36336B347565686879796337736472');
INSERT INTO "attempts" VALUES('rvb1-wis2rvpbmh6lglzr2p3g6bfomagyxgsg','i1-pbrwllarsxsm4swedwndrxyxs6hwwrsp',1,1,'night','seedance?duration=8','accepted',12,12,0,0,1,'task-16-1055',NULL,NULL,1053.75,1055.0,1056.0,NULL,'a9769bad38e1257a54d10dd78950075ac812235b14e4e43aa421628254151979',X'7B226D6F64656C223A2273656564616E6365227D727662312D77697332727670626D68366C676C7A72327033673662666F6D61677978677367');
INSERT INTO "attempts" VALUES('rvb1-klg44wwtkojsyzhhmvyrb6tttvqhd6fb','i1-26tz4xex6orhts3r6wk6fgew6qwqdtlh',0,1,'night@2026-05-11','seedance?duration=8','succeeded',10,0,9,0,1,'task-90-3001',9,9,2999.75,3001.0,3002.0,3003.0,'6ca293883e6800300ac7b2fd541ef2c565e33613be914b2a9ede1d140b595865',X'7B226D6F64656C223A2273656564616E6365227D727662312D6B6C6734347777746B6F6A73797A68686D767972623674747476716864366662');
CREATE TABLE books (
    scope TEXT PRIMARY KEY NOT NULL,
    reserved INTEGER NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    settled INTEGER NOT NULL DEFAULT 0 CHECK (settled >= 0)
) STRICT;
INSERT INTO "books" VALUES('night',83,51);
INSERT INTO "books" VALUES('night@2026-05-11',0,9);
CREATE TABLE class_prices (
    price_class TEXT PRIMARY KEY NOT NULL,
    credits INTEGER NOT NULL CHECK (credits > 0)
) STRICT;
INSERT INTO "class_prices" VALUES('seedance?duration=8',11);
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    at_s REAL NOT NULL,
    life_id INTEGER REFERENCES lives (life_id),
    identity TEXT NOT NULL REFERENCES items (identity),
    attempt_key TEXT REFERENCES attempts ("key"),
    type TEXT NOT NULL CHECK (type IN (
        'planned', 'intent', 'send_ended', 'accepted', 'rejected', 'uncertain', 'seen', 'succeeded', 'failed',
        'vanished', 'stalled', 'written_off', 'skipped', 'refunded', 'saved'
    )),
    data TEXT NOT NULL CHECK (json_valid(data))
) STRICT;
INSERT INTO "events" VALUES(1,1000.0,1,'i1-ye5orjofydut4s7nd6yznnxwp6bfkr2q',NULL,'planned','{}');
INSERT INTO "events" VALUES(2,1000.0,1,'i1-32kg2xpkiwhvvumccubvg5pqtsdfbmvl',NULL,'planned','{}');
INSERT INTO "events" VALUES(3,1000.0,1,'i1-dfvdq2wwhxe6vazbcvibnkhwjxb6i5q7',NULL,'planned','{}');
INSERT INTO "events" VALUES(4,1000.0,1,'i1-4qusg3tr25ltk7k75467c46beihdm4pu',NULL,'planned','{}');
INSERT INTO "events" VALUES(5,1000.0,1,'i1-nfgbpmqagyg7y5sg23sl7yrbutgg44qx',NULL,'planned','{}');
INSERT INTO "events" VALUES(6,1000.0,1,'i1-szf5vowfuqr76vapalos5qlnkvcvmb6p',NULL,'planned','{}');
INSERT INTO "events" VALUES(7,1000.0,1,'i1-gd3d25qr5t6xvc57muwxoeo5lnwg47fe',NULL,'planned','{}');
INSERT INTO "events" VALUES(8,1000.0,1,'i1-lyrjm5adgmreacqedezu5zie6asqxiup',NULL,'planned','{}');
INSERT INTO "events" VALUES(9,1000.0,1,'i1-ikmzuupon7ibchl65yuzooeihvo5q2wj',NULL,'planned','{}');
INSERT INTO "events" VALUES(10,1000.0,1,'i1-rpy3sxiyeksgr7t2zjs2mlpgedhvhuoj',NULL,'planned','{}');
INSERT INTO "events" VALUES(11,1000.0,1,'i1-rvzkcz5v4yasjv24mccxapwwfxnlgqs5',NULL,'planned','{}');
INSERT INTO "events" VALUES(12,1000.0,1,'i1-qunn2t2kan5qjajbtdyyroc3ljnmjuer',NULL,'planned','{}');
INSERT INTO "events" VALUES(13,1000.0,1,'i1-6tph7e6qlflo2tosn6w7j3xw6erpb2tp',NULL,'planned','{}');
INSERT INTO "events" VALUES(14,1000.0,1,'i1-7ypt34iuepgt6qqulnkevgzaocg7ekam',NULL,'planned','{}');
INSERT INTO "events" VALUES(15,1000.0,1,'i1-2lslbp32wnzkp26a4flky6ciuveus6s2',NULL,'planned','{}');
INSERT INTO "events" VALUES(16,1000.0,1,'i1-5ntq7u7aoqnaqy4okqjhlmkt2s5szszt',NULL,'planned','{}');
INSERT INTO "events" VALUES(17,1000.0,1,'i1-pbrwllarsxsm4swedwndrxyxs6hwwrsp',NULL,'planned','{}');
INSERT INTO "events" VALUES(18,1001.0,1,'i1-32kg2xpkiwhvvumccubvg5pqtsdfbmvl','rvb1-iesayibmrqkxmcan3n4uuqeqxdh32wdz','intent','{"epoch":0,"ordinal":1,"key":"rvb1-iesayibmrqkxmcan3n4uuqeqxdh32wdz","bound":10,"price_class":"seedance?duration=8","scope":"night","server_at_s":999.75}');
INSERT INTO "events" VALUES(19,1002.0,1,'i1-dfvdq2wwhxe6vazbcvibnkhwjxb6i5q7','rvb1-4pmho24p6ieekawjilwlbr4csogp4le6','intent','{"epoch":0,"ordinal":1,"key":"rvb1-4pmho24p6ieekawjilwlbr4csogp4le6","bound":10,"price_class":"seedance?duration=8","scope":"night","server_at_s":1000.75}');
INSERT INTO "events" VALUES(20,1003.0,1,'i1-dfvdq2wwhxe6vazbcvibnkhwjxb6i5q7','rvb1-4pmho24p6ieekawjilwlbr4csogp4le6','send_ended','{"ambiguous":true,"outcome":"ambiguous","status":502,"request_id":"req-d","reason":"HTTP 502"}');
INSERT INTO "events" VALUES(21,1004.0,1,'i1-4qusg3tr25ltk7k75467c46beihdm4pu','rvb1-4jppjwnivfiqumh2g3bvz4hr3gteq7me','intent','{"epoch":0,"ordinal":1,"key":"rvb1-4jppjwnivfiqumh2g3bvz4hr3gteq7me","bound":10,"price_class":"seedance?duration=8","scope":"night","server_at_s":1002.75}');
INSERT INTO "events" VALUES(22,1005.0,1,'i1-4qusg3tr25ltk7k75467c46beihdm4pu','rvb1-4jppjwnivfiqumh2g3bvz4hr3gteq7me','accepted','{"task_id":"task-3-1004","reserved_credits":9,"request_id":"req-a","by":"service"}');
INSERT INTO "events" VALUES(23,1006.0,1,'i1-nfgbpmqagyg7y5sg23sl7yrbutgg44qx','rvb1-ragp66p5fcacws3gdigy4bn3am7kxbh6','intent','{"epoch":0,"ordinal":1,"key":"rvb1-ragp66p5fcacws3gdigy4bn3am7kxbh6","bound":10,"price_class":"seedance?duration=8","scope":"night","server_at_s":1004.75}');
INSERT INTO "events" VALUES(24,1007.0,1,'i1-nfgbpmqagyg7y5sg23sl7yrbutgg44qx','rvb1-ragp66p5fcacws3gdigy4bn3am7kxbh6','accepted','{"task_id":"task-4-1006","reserved_credits":9,"request_id":"req-a","by":"service"}');
INSERT INTO "events" VALUES(25,1008.0,1,'i1-nfgbpmqagyg7y5sg23sl7yrbutgg44qx','rvb1-ragp66p5fcacws3gdigy4bn3am7kxbh6','succeeded','{"final_credits":9,"charge":9,"urls":["https://cdn.example/1","https://cdn.example/2"],"assumed":false}');
INSERT INTO "events" VALUES(26,1009.0,1,'i1-szf5vowfuqr76vapalos5qlnkvcvmb6p','rvb1-azgfynjvevtnwa5r6clqbwermyfzrisl','intent','{"epoch":0,"ordinal":1,"key":"rvb1-azgfynjvevtnwa5r6clqbwermyfzrisl","bound":10,"price_class":"seedance?duration=8","scope":"night","server_at_s":1007.75}');
INSERT INTO "events" VALUES(27,1010.0,1,'i1-szf5vowfuqr76vapalos5qlnkvcvmb6p','rvb1-azgfynjvevtnwa5r6clqbwermyfzrisl','accepted','{"task_id":"task-5-1009","reserved_credits":9,"request_id":"req-a","by":"service"}');
INSERT INTO "events" VALUES(28,1011.0,1,'i1-szf5vowfuqr76vapalos5qlnkvcvmb6p','rvb1-azgfynjvevtnwa5r6clqbwermyfzrisl','succeeded','{"final_credits":9,"charge":9,"urls":["https://cdn.example/1","https://cdn.example/2"],"assumed":false}');
INSERT INTO "events" VALUES(29,1012.0,1,'i1-szf5vowfuqr76vapalos5qlnkvcvmb6p','rvb1-azgfynjvevtnwa5r6clqbwermyfzrisl','saved','{"n":1,"url":"https://cdn.example/1","state":"verified","file":"reveal/5.mp4","sha256":"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff","bytes":7,"type":"video/mp4"}');
INSERT INTO "events" VALUES(30,1013.0,1,'i1-szf5vowfuqr76vapalos5qlnkvcvmb6p','rvb1-azgfynjvevtnwa5r6clqbwermyfzrisl','saved','{"n":2,"url":"https://cdn.example/2","state":"partial"}');
INSERT INTO "events" VALUES(31,1014.0,1,'i1-gd3d25qr5t6xvc57muwxoeo5lnwg47fe','rvb1-s6sr2y4kw5cclfq6axivm3xq4fvmmo4r','intent','{"epoch":0,"ordinal":1,"key":"rvb1-s6sr2y4kw5cclfq6axivm3xq4fvmmo4r","bound":10,"price_class":"seedance?duration=8","scope":"night","server_at_s":1012.75}');
INSERT INTO "events" VALUES(32,1015.0,1,'i1-gd3d25qr5t6xvc57muwxoeo5lnwg47fe','rvb1-s6sr2y4kw5cclfq6axivm3xq4fvmmo4r','accepted','{"task_id":"task-6-1014","reserved_credits":9,"request_id":"req-a","by":"service"}');
INSERT INTO "events" VALUES(33,1016.0,1,'i1-gd3d25qr5t6xvc57muwxoeo5lnwg47fe','rvb1-s6sr2y4kw5cclfq6axivm3xq4fvmmo4r','succeeded','{"final_credits":9,"charge":9,"urls":["https://cdn.example/1","https://cdn.example/2"],"assumed":false}');
INSERT INTO "events" VALUES(34,1017.0,1,'i1-gd3d25qr5t6xvc57muwxoeo5lnwg47fe','rvb1-s6sr2y4kw5cclfq6axivm3xq4fvmmo4r','saved','{"n":1,"url":"https://cdn.example/1","state":"gone"}');
INSERT INTO "events" VALUES(35,1018.0,1,'i1-gd3d25qr5t6xvc57muwxoeo5lnwg47fe','rvb1-s6sr2y4kw5cclfq6axivm3xq4fvmmo4r','saved','{"n":2,"url":"https://cdn.example/2","state":"gone"}');
INSERT INTO "events" VALUES(36,1019.0,1,'i1-lyrjm5adgmreacqedezu5zie6asqxiup','rvb1-rkwy7zc7vkq2p4tfw7lathdhmgg3r427','intent','{"epoch":0,"ordinal":1,"key":"rvb1-rkwy7zc7vkq2p4tfw7lathdhmgg3r427","bound":10,"price_class":"seedance?duration=8","scope":"night","server_at_s":1017.75}');
INSERT INTO "events" VALUES(37,1020.0,1,'i1-lyrjm5adgmreacqedezu5zie6asqxiup','rvb1-rkwy7zc7vkq2p4tfw7lathdhmgg3r427','accepted','{"task_id":"task-7-1019","reserved_credits":9,"request_id":"req-a","by":"service"}');
INSERT INTO "events" VALUES(38,1021.0,1,'i1-lyrjm5adgmreacqedezu5zie6asqxiup','rvb1-rkwy7zc7vkq2p4tfw7lathdhmgg3r427','failed','{"assumed":false,"code":"generation_failed","message":"no luck","request_id":"req-f","final_credits":0,"charge":0}');
INSERT INTO "events" VALUES(39,1022.0,1,'i1-lyrjm5adgmreacqedezu5zie6asqxiup','rvb1-jpgna4p6k4qxyhfiwcyqmqptgewhapwr','intent','{"epoch":0,"ordinal":2,"key":"rvb1-jpgna4p6k4qxyhfiwcyqmqptgewhapwr","bound":10,"price_class":"seedance?duration=8","scope":"night","server_at_s":1020.75}');
INSERT INTO "events" VALUES(40,1023.0,1,'i1-lyrjm5adgmreacqedezu5zie6asqxiup','rvb1-jpgna4p6k4qxyhfiwcyqmqptgewhapwr','accepted','{"task_id":"task-7-1022","reserved_credits":9,"request_id":"req-a","by":"service"}');
INSERT INTO "events" VALUES(41,1024.0,1,'i1-lyrjm5adgmreacqedezu5zie6asqxiup','rvb1-jpgna4p6k4qxyhfiwcyqmqptgewhapwr','failed','{"assumed":false,"code":"generation_failed","message":"no luck","request_id":"req-f","final_credits":0,"charge":0}');
INSERT INTO "events" VALUES(42,1025.0,1,'i1-ikmzuupon7ibchl65yuzooeihvo5q2wj','rvb1-77i7wagdaf33wazizum5a6gcnweigsfo','intent','{"epoch":0,"ordinal":1,"key":"rvb1-77i7wagdaf33wazizum5a6gcnweigsfo","bound":10,"price_class":"seedance?duration=8","scope":"night","server_at_s":1023.75}');
INSERT INTO "events" VALUES(43,1026.0,1,'i1-ikmzuupon7ibchl65yuzooeihvo5q2wj','rvb1-77i7wagdaf33wazizum5a6gcnweigsfo','rejected','{"by":"service","code":"validation_failed","message":"prompt: no","request_id":"req-n"}');
INSERT INTO "events" VALUES(44,1027.0,1,'i1-rpy3sxiyeksgr7t2zjs2mlpgedhvhuoj',NULL,'skipped','{"code":"budget_exhausted","message":"no room"}');
INSERT INTO "events" VALUES(45,1028.0,1,'i1-rvzkcz5v4yasjv24mccxapwwfxnlgqs5','rvb1-qgfdjlzbia6lplqum7rqwzkng7j2rtuk','intent','{"epoch":0,"ordinal":1,"key":"rvb1-qgfdjlzbia6lplqum7rqwzkng7j2rtuk","bound":10,"price_class":"seedance?duration=8","scope":"night","server_at_s":1026.75}');
INSERT INTO "events" VALUES(46,1029.0,1,'i1-rvzkcz5v4yasjv24mccxapwwfxnlgqs5','rvb1-qgfdjlzbia6lplqum7rqwzkng7j2rtuk','send_ended','{"ambiguous":true,"outcome":"ambiguous","status":502,"request_id":"req-d","reason":"HTTP 502"}');
INSERT INTO "events" VALUES(47,1030.0,1,'i1-rvzkcz5v4yasjv24mccxapwwfxnlgqs5','rvb1-qgfdjlzbia6lplqum7rqwzkng7j2rtuk','uncertain','{"reason":"the key''s hour is over"}');
INSERT INTO "events" VALUES(48,1031.0,1,'i1-qunn2t2kan5qjajbtdyyroc3ljnmjuer','rvb1-6aul7t6zwmd7bggexam7nj7byxjanrit','intent','{"epoch":0,"ordinal":1,"key":"rvb1-6aul7t6zwmd7bggexam7nj7byxjanrit","bound":10,"price_class":"seedance?duration=8","scope":"night","server_at_s":1029.75}');
INSERT INTO "events" VALUES(49,1032.0,1,'i1-qunn2t2kan5qjajbtdyyroc3ljnmjuer','rvb1-6aul7t6zwmd7bggexam7nj7byxjanrit','accepted','{"task_id":"task-11-1031","reserved_credits":9,"request_id":"req-a","by":"service"}');
INSERT INTO "events" VALUES(50,1033.0,1,'i1-qunn2t2kan5qjajbtdyyroc3ljnmjuer','rvb1-6aul7t6zwmd7bggexam7nj7byxjanrit','vanished','{"reason":"HTTP 404"}');
INSERT INTO "events" VALUES(51,1034.0,1,'i1-6tph7e6qlflo2tosn6w7j3xw6erpb2tp','rvb1-d3glnxx7zqtxzbiuzokkj6ws224jdih4','intent','{"epoch":0,"ordinal":1,"key":"rvb1-d3glnxx7zqtxzbiuzokkj6ws224jdih4","bound":10,"price_class":"seedance?duration=8","scope":"night","server_at_s":1032.75}');
INSERT INTO "events" VALUES(52,1035.0,1,'i1-6tph7e6qlflo2tosn6w7j3xw6erpb2tp','rvb1-d3glnxx7zqtxzbiuzokkj6ws224jdih4','accepted','{"task_id":"task-12-1034","reserved_credits":9,"request_id":"req-a","by":"service"}');
INSERT INTO "events" VALUES(53,1036.0,1,'i1-6tph7e6qlflo2tosn6w7j3xw6erpb2tp','rvb1-d3glnxx7zqtxzbiuzokkj6ws224jdih4','seen','{"status":"processing","reserved_credits":11}');
INSERT INTO "events" VALUES(54,1037.0,1,'i1-6tph7e6qlflo2tosn6w7j3xw6erpb2tp','rvb1-d3glnxx7zqtxzbiuzokkj6ws224jdih4','stalled','{"reason":"no end within 20 min"}');
INSERT INTO "events" VALUES(55,1038.0,1,'i1-7ypt34iuepgt6qqulnkevgzaocg7ekam','rvb1-i53tezwvpd25vcb6bk4jgcxaa6agzhsc','intent','{"epoch":0,"ordinal":1,"key":"rvb1-i53tezwvpd25vcb6bk4jgcxaa6agzhsc","bound":10,"price_class":"seedance?duration=8","scope":"night","server_at_s":1036.75}');
INSERT INTO "events" VALUES(56,1039.0,1,'i1-7ypt34iuepgt6qqulnkevgzaocg7ekam','rvb1-i53tezwvpd25vcb6bk4jgcxaa6agzhsc','send_ended','{"ambiguous":true,"outcome":"ambiguous","status":502,"request_id":"req-d","reason":"HTTP 502"}');
INSERT INTO "events" VALUES(57,1040.0,1,'i1-7ypt34iuepgt6qqulnkevgzaocg7ekam','rvb1-i53tezwvpd25vcb6bk4jgcxaa6agzhsc','uncertain','{"reason":"the key''s hour is over"}');
INSERT INTO "events" VALUES(58,1041.0,1,'i1-7ypt34iuepgt6qqulnkevgzaocg7ekam','rvb1-i53tezwvpd25vcb6bk4jgcxaa6agzhsc','written_off','{"message":"not worth it","charge":10,"by":"ann"}');
INSERT INTO "events" VALUES(59,1042.0,1,'i1-2lslbp32wnzkp26a4flky6ciuveus6s2','rvb1-f4oryvmn772dtjwy7zmpbx6p7v7zooez','intent','{"epoch":0,"ordinal":1,"key":"rvb1-f4oryvmn772dtjwy7zmpbx6p7v7zooez","bound":10,"price_class":"seedance?duration=8","scope":"night","server_at_s":1040.75}');
INSERT INTO "events" VALUES(60,1043.0,1,'i1-2lslbp32wnzkp26a4flky6ciuveus6s2','rvb1-f4oryvmn772dtjwy7zmpbx6p7v7zooez','accepted','{"task_id":"task-14-1042","reserved_credits":9,"request_id":"req-a","by":"service"}');
INSERT INTO "events" VALUES(61,1044.0,1,'i1-2lslbp32wnzkp26a4flky6ciuveus6s2','rvb1-f4oryvmn772dtjwy7zmpbx6p7v7zooez','succeeded','{"final_credits":9,"charge":9,"urls":["https://cdn.example/1","https://cdn.example/2"],"assumed":false}');
INSERT INTO "events" VALUES(62,1045.0,1,'i1-2lslbp32wnzkp26a4flky6ciuveus6s2','rvb1-f4oryvmn772dtjwy7zmpbx6p7v7zooez','refunded','{"credits":4}');
INSERT INTO "events" VALUES(63,1046.0,1,'i1-5ntq7u7aoqnaqy4okqjhlmkt2s5szszt','rvb1-azerkhegshb5ktfkqjejqvbg34r2u5ep','intent','{"epoch":0,"ordinal":1,"key":"rvb1-azerkhegshb5ktfkqjejqvbg34r2u5ep","bound":10,"price_class":"seedance?duration=8","scope":"night","server_at_s":1044.75}');
INSERT INTO "events" VALUES(64,1047.0,1,'i1-5ntq7u7aoqnaqy4okqjhlmkt2s5szszt','rvb1-azerkhegshb5ktfkqjejqvbg34r2u5ep','send_ended','{"ambiguous":true,"outcome":"ambiguous","status":502,"request_id":"req-d","reason":"HTTP 502"}');
INSERT INTO "events" VALUES(65,1048.0,1,'i1-5ntq7u7aoqnaqy4okqjhlmkt2s5szszt','rvb1-azerkhegshb5ktfkqjejqvbg34r2u5ep','uncertain','{"reason":"the key''s hour is over"}');
INSERT INTO "events" VALUES(66,1049.0,1,'i1-5ntq7u7aoqnaqy4okqjhlmkt2s5szszt','rvb1-azerkhegshb5ktfkqjejqvbg34r2u5ep','accepted','{"task_id":"task-by-hand","reserved_credits":null,"by":"ann"}');
INSERT INTO "events" VALUES(67,1050.0,1,'i1-pbrwllarsxsm4swedwndrxyxs6hwwrsp','rvb1-wclof42fmkc4yxijk63k4uehhyyc7sdr','intent','{"epoch":0,"ordinal":1,"key":"rvb1-wclof42fmkc4yxijk63k4uehhyyc7sdr","bound":10,"price_class":"seedance?duration=8","scope":"night","server_at_s":1048.75}');
INSERT INTO "events" VALUES(68,1051.0,1,'i1-pbrwllarsxsm4swedwndrxyxs6hwwrsp','rvb1-wclof42fmkc4yxijk63k4uehhyyc7sdr','accepted','{"task_id":"task-16-1050","reserved_credits":9,"request_id":"req-a","by":"service"}');
INSERT INTO "events" VALUES(69,1052.0,1,'i1-pbrwllarsxsm4swedwndrxyxs6hwwrsp','rvb1-wclof42fmkc4yxijk63k4uehhyyc7sdr','succeeded','{"final_credits":9,"charge":9,"urls":["https://cdn.example/1","https://cdn.example/2"],"assumed":false}');
INSERT INTO "events" VALUES(70,1053.0,1,'i1-pbrwllarsxsm4swedwndrxyxs6hwwrsp','rvb1-wclof42fmkc4yxijk63k4uehhyyc7sdr','saved','{"n":1,"url":"https://cdn.example/1","state":"verified","file":"reveal/16.mp4","sha256":"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff","bytes":7,"type":"video/mp4"}');
INSERT INTO "events" VALUES(71,1054.0,1,'i1-pbrwllarsxsm4swedwndrxyxs6hwwrsp','rvb1-wclof42fmkc4yxijk63k4uehhyyc7sdr','saved','{"n":2,"url":"https://cdn.example/2","state":"partial"}');
INSERT INTO "events" VALUES(72,1055.0,1,'i1-pbrwllarsxsm4swedwndrxyxs6hwwrsp','rvb1-wis2rvpbmh6lglzr2p3g6bfomagyxgsg','intent','{"epoch":1,"ordinal":1,"key":"rvb1-wis2rvpbmh6lglzr2p3g6bfomagyxgsg","bound":12,"price_class":"seedance?duration=8","scope":"night","server_at_s":1053.75}');
INSERT INTO "events" VALUES(73,1056.0,1,'i1-pbrwllarsxsm4swedwndrxyxs6hwwrsp','rvb1-wis2rvpbmh6lglzr2p3g6bfomagyxgsg','accepted','{"task_id":"task-16-1055","reserved_credits":null,"request_id":"req-a","by":"service"}');
INSERT INTO "events" VALUES(74,3000.0,2,'i1-26tz4xex6orhts3r6wk6fgew6qwqdtlh',NULL,'planned','{}');
INSERT INTO "events" VALUES(75,3000.0,2,'i1-57gj6n7p5oy37sqpqqt4rhac4gozh3fz',NULL,'planned','{}');
INSERT INTO "events" VALUES(76,3001.0,2,'i1-26tz4xex6orhts3r6wk6fgew6qwqdtlh','rvb1-klg44wwtkojsyzhhmvyrb6tttvqhd6fb','intent','{"epoch":0,"ordinal":1,"key":"rvb1-klg44wwtkojsyzhhmvyrb6tttvqhd6fb","bound":10,"price_class":"seedance?duration=8","scope":"night@2026-05-11","server_at_s":2999.75}');
INSERT INTO "events" VALUES(77,3002.0,2,'i1-26tz4xex6orhts3r6wk6fgew6qwqdtlh','rvb1-klg44wwtkojsyzhhmvyrb6tttvqhd6fb','accepted','{"task_id":"task-90-3001","reserved_credits":9,"request_id":"req-a","by":"service"}');
INSERT INTO "events" VALUES(78,3003.0,2,'i1-26tz4xex6orhts3r6wk6fgew6qwqdtlh','rvb1-klg44wwtkojsyzhhmvyrb6tttvqhd6fb','succeeded','{"final_credits":9,"charge":9,"urls":["https://cdn.example/1","https://cdn.example/2"],"assumed":false}');
INSERT INTO "events" VALUES(79,3004.0,2,'i1-26tz4xex6orhts3r6wk6fgew6qwqdtlh','rvb1-klg44wwtkojsyzhhmvyrb6tttvqhd6fb','saved','{"n":1,"url":"https://cdn.example/1","state":"verified","file":"reveal/90.mp4","sha256":"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff","bytes":7,"type":"video/mp4"}');
INSERT INTO "events" VALUES(80,3005.0,2,'i1-26tz4xex6orhts3r6wk6fgew6qwqdtlh','rvb1-klg44wwtkojsyzhhmvyrb6tttvqhd6fb','saved','{"n":2,"url":"https://cdn.example/2","state":"partial"}');
CREATE TABLE items (
    identity TEXT PRIMARY KEY NOT NULL,
    model TEXT NOT NULL,
    prompt TEXT,
    params TEXT NOT NULL CHECK (json_valid(params)),
    reference_digests TEXT NOT NULL CHECK (json_valid(reference_digests)),
    repeat INTEGER NOT NULL CHECK (repeat >= 1),
    edition TEXT NOT NULL,
    price_class TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN (
        'planned', 'submitting', 'accepted', 'succeeded', 'failed', 'rejected', 'skipped', 'uncertain', 'vanished',
        'stalled'
    )),
    version INTEGER NOT NULL CHECK (version >= 1),
    first_at_s REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    sends INTEGER NOT NULL DEFAULT 0 CHECK (sends >= 0),
    failures INTEGER NOT NULL DEFAULT 0 CHECK (failures >= 0),
    latest_attempt_key TEXT REFERENCES attempts ("key"),
    error_code TEXT,
    error_message TEXT,
    request_id TEXT,
    CHECK (state IN ('planned', 'skipped') OR latest_attempt_key IS NOT NULL),
    CHECK ((attempts = 0) = (latest_attempt_key IS NULL))
) STRICT;
INSERT INTO "items" VALUES('i1-ye5orjofydut4s7nd6yznnxwp6bfkr2q','seedance','planned, with an é and a 靴','{"duration":"8"}','["0000000000000000000000000000000000000000000000000000000000000000"]',1,'','seedance?duration=8','planned',1,1000.0,0,0,0,NULL,NULL,NULL,NULL);
INSERT INTO "items" VALUES('i1-32kg2xpkiwhvvumccubvg5pqtsdfbmvl','seedance','submitting, with an é and a 靴','{"duration":"8"}','["0000000000000000000000000000000000000000000000000000000000000001"]',1,'','seedance?duration=8','submitting',2,1000.0,1,0,0,'rvb1-iesayibmrqkxmcan3n4uuqeqxdh32wdz',NULL,NULL,NULL);
INSERT INTO "items" VALUES('i1-dfvdq2wwhxe6vazbcvibnkhwjxb6i5q7','seedance','doubtful, with an é and a 靴','{"duration":"8"}','["0000000000000000000000000000000000000000000000000000000000000002"]',1,'','seedance?duration=8','submitting',3,1000.0,1,1,0,'rvb1-4pmho24p6ieekawjilwlbr4csogp4le6',NULL,NULL,'req-d');
INSERT INTO "items" VALUES('i1-4qusg3tr25ltk7k75467c46beihdm4pu','seedance','accepted, with an é and a 靴','{"duration":"8"}','["0000000000000000000000000000000000000000000000000000000000000003"]',1,'','seedance?duration=8','accepted',3,1000.0,1,1,0,'rvb1-4jppjwnivfiqumh2g3bvz4hr3gteq7me',NULL,NULL,'req-a');
INSERT INTO "items" VALUES('i1-nfgbpmqagyg7y5sg23sl7yrbutgg44qx','seedance','succeeded, with an é and a 靴','{"duration":"8"}','["0000000000000000000000000000000000000000000000000000000000000004"]',1,'','seedance?duration=8','succeeded',4,1000.0,1,1,0,'rvb1-ragp66p5fcacws3gdigy4bn3am7kxbh6',NULL,NULL,'req-a');
INSERT INTO "items" VALUES('i1-szf5vowfuqr76vapalos5qlnkvcvmb6p','seedance','saved, with an é and a 靴','{"duration":"8"}','["0000000000000000000000000000000000000000000000000000000000000005"]',1,'','seedance?duration=8','succeeded',6,1000.0,1,1,0,'rvb1-azgfynjvevtnwa5r6clqbwermyfzrisl',NULL,NULL,'req-a');
INSERT INTO "items" VALUES('i1-gd3d25qr5t6xvc57muwxoeo5lnwg47fe','seedance','gone, with an é and a 靴','{"duration":"8"}','["0000000000000000000000000000000000000000000000000000000000000006"]',1,'','seedance?duration=8','succeeded',6,1000.0,1,1,0,'rvb1-s6sr2y4kw5cclfq6axivm3xq4fvmmo4r',NULL,NULL,'req-a');
INSERT INTO "items" VALUES('i1-lyrjm5adgmreacqedezu5zie6asqxiup','seedance','failed, with an é and a 靴','{"duration":"8"}','["0000000000000000000000000000000000000000000000000000000000000007"]',1,'','seedance?duration=8','failed',7,1000.0,2,2,2,'rvb1-jpgna4p6k4qxyhfiwcyqmqptgewhapwr','generation_failed','no luck','req-f');
INSERT INTO "items" VALUES('i1-ikmzuupon7ibchl65yuzooeihvo5q2wj','seedance','rejected, with an é and a 靴','{"duration":"8"}','["0000000000000000000000000000000000000000000000000000000000000008"]',1,'','seedance?duration=8','rejected',3,1000.0,1,1,0,'rvb1-77i7wagdaf33wazizum5a6gcnweigsfo','validation_failed','prompt: no','req-n');
INSERT INTO "items" VALUES('i1-rpy3sxiyeksgr7t2zjs2mlpgedhvhuoj','seedance','skipped, with an é and a 靴','{"duration":"8"}','["0000000000000000000000000000000000000000000000000000000000000009"]',1,'','seedance?duration=8','skipped',2,1000.0,0,0,0,NULL,'budget_exhausted','no room',NULL);
INSERT INTO "items" VALUES('i1-rvzkcz5v4yasjv24mccxapwwfxnlgqs5','seedance','uncertain, with an é and a 靴','{"duration":"8"}','["000000000000000000000000000000000000000000000000000000000000000a"]',1,'','seedance?duration=8','uncertain',4,1000.0,1,1,0,'rvb1-qgfdjlzbia6lplqum7rqwzkng7j2rtuk','uncertain','the key''s hour is over','req-d');
INSERT INTO "items" VALUES('i1-qunn2t2kan5qjajbtdyyroc3ljnmjuer','seedance','vanished, with an é and a 靴','{"duration":"8"}','["000000000000000000000000000000000000000000000000000000000000000b"]',1,'','seedance?duration=8','vanished',4,1000.0,1,1,0,'rvb1-6aul7t6zwmd7bggexam7nj7byxjanrit','vanished','HTTP 404','req-a');
INSERT INTO "items" VALUES('i1-6tph7e6qlflo2tosn6w7j3xw6erpb2tp','seedance','stalled, with an é and a 靴','{"duration":"8"}','["000000000000000000000000000000000000000000000000000000000000000c"]',1,'','seedance?duration=8','stalled',5,1000.0,1,1,0,'rvb1-d3glnxx7zqtxzbiuzokkj6ws224jdih4','stalled','no end within 20 min','req-a');
INSERT INTO "items" VALUES('i1-7ypt34iuepgt6qqulnkevgzaocg7ekam','seedance','written-off, with an é and a 靴','{"duration":"8"}','["000000000000000000000000000000000000000000000000000000000000000d"]',1,'','seedance?duration=8','failed',5,1000.0,1,1,0,'rvb1-i53tezwvpd25vcb6bk4jgcxaa6agzhsc','written_off','not worth it','req-d');
INSERT INTO "items" VALUES('i1-2lslbp32wnzkp26a4flky6ciuveus6s2','seedance','refunded, with an é and a 靴','{"duration":"8"}','["000000000000000000000000000000000000000000000000000000000000000e"]',1,'','seedance?duration=8','succeeded',5,1000.0,1,1,0,'rvb1-f4oryvmn772dtjwy7zmpbx6p7v7zooez',NULL,NULL,'req-a');
INSERT INTO "items" VALUES('i1-5ntq7u7aoqnaqy4okqjhlmkt2s5szszt','seedance','adopted, with an é and a 靴','{"duration":"8"}','["000000000000000000000000000000000000000000000000000000000000000f"]',1,'','seedance?duration=8','accepted',5,1000.0,1,1,0,'rvb1-azerkhegshb5ktfkqjejqvbg34r2u5ep',NULL,NULL,'req-d');
INSERT INTO "items" VALUES('i1-pbrwllarsxsm4swedwndrxyxs6hwwrsp','seedance','again, with an é and a 靴','{"duration":"8"}','["0000000000000000000000000000000000000000000000000000000000000010"]',1,'','seedance?duration=8','accepted',8,1000.0,2,2,0,'rvb1-wis2rvpbmh6lglzr2p3g6bfomagyxgsg',NULL,NULL,'req-a');
INSERT INTO "items" VALUES('i1-26tz4xex6orhts3r6wk6fgew6qwqdtlh','seedance','shoe number 90','{"duration":"8"}','["000000000000000000000000000000000000000000000000000000000000005a"]',1,'2026-05-11','seedance?duration=8','succeeded',6,3000.0,1,1,0,'rvb1-klg44wwtkojsyzhhmvyrb6tttvqhd6fb',NULL,NULL,'req-a');
INSERT INTO "items" VALUES('i1-57gj6n7p5oy37sqpqqt4rhac4gozh3fz','seedance','shoe number 91','{"duration":"8"}','["000000000000000000000000000000000000000000000000000000000000005b"]',1,'2026-05-11','seedance?duration=8','planned',1,3000.0,0,0,0,NULL,NULL,NULL,NULL);
CREATE TABLE layouts (
    run_id TEXT PRIMARY KEY NOT NULL REFERENCES runs (run_id),
    layout TEXT NOT NULL CHECK (json_valid(layout))
) STRICT;
INSERT INTO "layouts" VALUES('night','{"reveal":{"x":"params.duration","pages":[]}}');
INSERT INTO "layouts" VALUES('night@2026-05-11','{"reveal":{"x":"params.duration","pages":[]}}');
CREATE TABLE lives (
    life_id INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL REFERENCES runs (run_id),
    started_at_s REAL NOT NULL,
    pid INTEGER NOT NULL,
    host TEXT NOT NULL,
    out_dir TEXT NOT NULL,
    ended_at_s REAL,
    exit_code INTEGER,
    CHECK ((ended_at_s IS NULL) = (exit_code IS NULL))
) STRICT;
INSERT INTO "lives" VALUES(1,'night',1000.0,1,'studio','/out/night',2000.0,3);
INSERT INTO "lives" VALUES(2,'night@2026-05-11',3000.0,2,'studio','/out/night',NULL,NULL);
INSERT INTO "lives" VALUES(3,'night',4000.0,3,'studio','/out/night',5000.0,0);
CREATE TABLE meta (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    account TEXT NOT NULL,
    base_url TEXT NOT NULL,
    instance_id TEXT NOT NULL,
    created_at_s REAL NOT NULL
) STRICT;
INSERT INTO "meta" VALUES(1,'default','https://rivya.example','golden',1000.0);
CREATE TABLE migrations (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    applied_at_s REAL NOT NULL
) STRICT;
INSERT INTO "migrations" VALUES(1,'0001_initial',1000.0);
INSERT INTO "migrations" VALUES(2,'0002_notes_and_layouts',1000.0);
INSERT INTO "migrations" VALUES(3,'0003_class_prices',1000.0);
CREATE TABLE notes (
    note_id INTEGER PRIMARY KEY,
    life_id INTEGER NOT NULL REFERENCES lives (life_id),
    at_s REAL NOT NULL,
    name TEXT NOT NULL,
    data TEXT NOT NULL CHECK (json_valid(data))
) STRICT;
INSERT INTO "notes" VALUES(1,1,1500.0,'rate','{"limit":"creates","before":1.0,"after":0.5,"full":1.0,"wait_s":5.0,"why":"HTTP 429, é 靴"}');
CREATE TABLE run_items (
    run_id TEXT NOT NULL REFERENCES runs (run_id),
    identity TEXT NOT NULL REFERENCES items (identity),
    item_index INTEGER NOT NULL CHECK (item_index >= 0),
    item_key TEXT NOT NULL,
    job TEXT NOT NULL,
    axes TEXT NOT NULL CHECK (json_valid(axes)),
    tags TEXT NOT NULL CHECK (json_valid(tags)),
    output_stem TEXT NOT NULL,
    wanted INTEGER NOT NULL CHECK (wanted IN (0, 1)),
    PRIMARY KEY (run_id, identity)
) STRICT;
INSERT INTO "run_items" VALUES('night','i1-ye5orjofydut4s7nd6yznnxwp6bfkr2q',0,'reveal/planned','reveal','{"vars.n":0}','["hero"]','reveal/0',1);
INSERT INTO "run_items" VALUES('night','i1-32kg2xpkiwhvvumccubvg5pqtsdfbmvl',1,'reveal/submitting','reveal','{"vars.n":1}','["hero"]','reveal/1',1);
INSERT INTO "run_items" VALUES('night','i1-dfvdq2wwhxe6vazbcvibnkhwjxb6i5q7',2,'reveal/doubtful','reveal','{"vars.n":2}','["hero"]','reveal/2',1);
INSERT INTO "run_items" VALUES('night','i1-4qusg3tr25ltk7k75467c46beihdm4pu',3,'reveal/accepted','reveal','{"vars.n":3}','["hero"]','reveal/3',1);
INSERT INTO "run_items" VALUES('night','i1-nfgbpmqagyg7y5sg23sl7yrbutgg44qx',4,'reveal/succeeded','reveal','{"vars.n":4}','["hero"]','reveal/4',1);
INSERT INTO "run_items" VALUES('night','i1-szf5vowfuqr76vapalos5qlnkvcvmb6p',5,'reveal/saved','reveal','{"vars.n":5}','["hero"]','reveal/5',1);
INSERT INTO "run_items" VALUES('night','i1-gd3d25qr5t6xvc57muwxoeo5lnwg47fe',6,'reveal/gone','reveal','{"vars.n":6}','["hero"]','reveal/6',1);
INSERT INTO "run_items" VALUES('night','i1-lyrjm5adgmreacqedezu5zie6asqxiup',7,'reveal/failed','reveal','{"vars.n":7}','["hero"]','reveal/7',1);
INSERT INTO "run_items" VALUES('night','i1-ikmzuupon7ibchl65yuzooeihvo5q2wj',8,'reveal/rejected','reveal','{"vars.n":8}','["hero"]','reveal/8',1);
INSERT INTO "run_items" VALUES('night','i1-rpy3sxiyeksgr7t2zjs2mlpgedhvhuoj',9,'reveal/skipped','reveal','{"vars.n":9}','["hero"]','reveal/9',1);
INSERT INTO "run_items" VALUES('night','i1-rvzkcz5v4yasjv24mccxapwwfxnlgqs5',10,'reveal/uncertain','reveal','{"vars.n":10}','["hero"]','reveal/10',1);
INSERT INTO "run_items" VALUES('night','i1-qunn2t2kan5qjajbtdyyroc3ljnmjuer',11,'reveal/vanished','reveal','{"vars.n":11}','["hero"]','reveal/11',1);
INSERT INTO "run_items" VALUES('night','i1-6tph7e6qlflo2tosn6w7j3xw6erpb2tp',12,'reveal/stalled','reveal','{"vars.n":12}','["hero"]','reveal/12',1);
INSERT INTO "run_items" VALUES('night','i1-7ypt34iuepgt6qqulnkevgzaocg7ekam',13,'reveal/written-off','reveal','{"vars.n":13}','["hero"]','reveal/13',1);
INSERT INTO "run_items" VALUES('night','i1-2lslbp32wnzkp26a4flky6ciuveus6s2',14,'reveal/refunded','reveal','{"vars.n":14}','["hero"]','reveal/14',1);
INSERT INTO "run_items" VALUES('night','i1-5ntq7u7aoqnaqy4okqjhlmkt2s5szszt',15,'reveal/adopted','reveal','{"vars.n":15}','["hero"]','reveal/15',1);
INSERT INTO "run_items" VALUES('night','i1-pbrwllarsxsm4swedwndrxyxs6hwwrsp',16,'reveal/again','reveal','{"vars.n":16}','["hero"]','reveal/16',0);
INSERT INTO "run_items" VALUES('night@2026-05-11','i1-26tz4xex6orhts3r6wk6fgew6qwqdtlh',90,'dated/90','reveal','{"vars.n":90}','["hero"]','reveal/90',1);
INSERT INTO "run_items" VALUES('night@2026-05-11','i1-57gj6n7p5oy37sqpqqt4rhac4gozh3fz',91,'dated/91','reveal','{"vars.n":91}','["hero"]','reveal/91',1);
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    edition TEXT NOT NULL,
    manifest_path TEXT NOT NULL,
    manifest_sha256 TEXT NOT NULL,
    cap_credits INTEGER CHECK (cap_credits >= 0),
    out_dir TEXT NOT NULL
) STRICT;
INSERT INTO "runs" VALUES('night','night','','/manifests/night.yaml','0000000000000000000000000000000000000000000000000000000000000000',700,'/out/night');
INSERT INTO "runs" VALUES('night@2026-05-11','night','2026-05-11','/manifests/night.yaml','0000000000000000000000000000000000000000000000000000000000000000',NULL,'/out/night');
CREATE TABLE uploads (
    sha256 TEXT PRIMARY KEY NOT NULL,
    file_id TEXT NOT NULL,
    url TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    mime_type TEXT NOT NULL,
    duration_token TEXT,
    duration_s REAL,
    expires_at TEXT,
    at_s REAL NOT NULL
) STRICT;
INSERT INTO "uploads" VALUES('0000000000000000000000000000000000000000000000000000000000000000','f1','https://files.example/f1','image','shoe.png','image/png','secret',1.5,'2030-01-01T00:00:00Z',5.0);
INSERT INTO "uploads" VALUES('0000000000000000000000000000000000000000000000000000000000000001','f1','https://files.example/f1','image','shoe.png','image/png','secret',1.5,'2030-01-01T00:00:00Z',5.0);
CREATE INDEX lives_of_run ON lives (run_id, life_id);
CREATE UNIQUE INDEX one_item_per_key ON run_items (run_id, item_key) WHERE wanted = 1;
CREATE INDEX run_items_of_item ON run_items (identity);
CREATE UNIQUE INDEX one_attempt_per_task ON attempts (task_id) WHERE task_id IS NOT NULL;
CREATE UNIQUE INDEX one_open_attempt_per_item ON attempts (identity)
    WHERE state IN ('submitting', 'accepted', 'uncertain', 'vanished', 'stalled');
CREATE TRIGGER a_key_keeps_its_body BEFORE UPDATE OF "key", identity, epoch, ordinal, scope, body, body_sha256, bound
ON attempts BEGIN SELECT raise(ABORT, 'an attempt''s key, body and bound never change'); END;
CREATE TRIGGER an_attempt_stays BEFORE DELETE ON attempts
BEGIN SELECT raise(ABORT, 'an attempt is never deleted'); END;
CREATE INDEX events_of_item ON events (identity, seq);
CREATE TRIGGER an_event_never_changes BEFORE UPDATE ON events
BEGIN SELECT raise(ABORT, 'an event never changes'); END;
CREATE TRIGGER an_event_stays BEFORE DELETE ON events
BEGIN SELECT raise(ABORT, 'an event is never deleted'); END;
CREATE INDEX notes_of_life ON notes (life_id, note_id);
CREATE TRIGGER a_higher_price_is_kept AFTER UPDATE OF reserved_credits, final_credits ON attempts
WHEN max(coalesce(new.reserved_credits, 0), coalesce(new.final_credits, 0))
    > coalesce((SELECT credits FROM class_prices WHERE price_class = new.price_class), 0)
BEGIN
    INSERT INTO class_prices (price_class, credits)
    VALUES (new.price_class, max(coalesce(new.reserved_credits, 0), coalesce(new.final_credits, 0)))
    ON CONFLICT (price_class) DO UPDATE SET credits = excluded.credits;
END;
COMMIT;
