PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE studies (
	study_id INTEGER NOT NULL, 
	study_name VARCHAR(512) NOT NULL, 
	PRIMARY KEY (study_id)
);
INSERT INTO studies VALUES(1,'ends');
INSERT INTO studies VALUES(2,'digits');
CREATE TABLE version_info (
	version_info_id INTEGER NOT NULL, 
	schema_version INTEGER, 
	library_version VARCHAR(256), 
	PRIMARY KEY (version_info_id), 
	CHECK (version_info_id=1)
);
INSERT INTO version_info VALUES(1,12,'5.0.0');
CREATE TABLE study_directions (
	study_direction_id INTEGER NOT NULL, 
	direction VARCHAR(8) NOT NULL, 
	study_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	PRIMARY KEY (study_direction_id), 
	UNIQUE (study_id, objective), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO study_directions VALUES(1,'MAXIMIZE',1,0);
INSERT INTO study_directions VALUES(2,'MINIMIZE',1,1);
INSERT INTO study_directions VALUES(3,'MAXIMIZE',2,0);
INSERT INTO study_directions VALUES(4,'MINIMIZE',2,1);
CREATE TABLE study_user_attributes (
	study_user_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_user_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO study_user_attributes VALUES(1,1,'spec','{"study": {"name": "ends", "storage": "sqlite:///before.db", "seed": 5, "trials": 20, "artifacts": null, "country": null}, "problem": {"kind": "python", "target": "ends:Ends"}, "objectives": [{"metric": "accuracy", "direction": null}, {"metric": "cost_us", "direction": "minimize"}], "constraints": [{"metric": "weights", "min": null, "max": 900.0}, {"metric": "accuracy", "min": 0.6, "max": null}], "sampler": {"name": "tpe", "options": {}}}');
INSERT INTO study_user_attributes VALUES(2,1,'objectives','[{"metric": "accuracy", "direction": "maximize"}, {"metric": "cost_us", "direction": "minimize"}]');
INSERT INTO study_user_attributes VALUES(3,1,'seed','5');
INSERT INTO study_user_attributes VALUES(4,1,'versions','{"python": "3.11.7", "nasopt": "0.1.0", "optuna": "5.0.0", "torch": "2.14.1", "torchvision": "0.29.1", "timm": "1.0.31", "onnx": "1.23.2", "onnxruntime": "1.32.0", "codecarbon": "3.3.2", "numpy": "2.4.6"}');
INSERT INTO study_user_attributes VALUES(5,1,'host','{"cpu_vendor": "AuthenticAMD", "cpu_family": "25", "cpu_model": "17", "cpu": "AMD EPYC", "cpu_stepping": "1", "cores": 2, "physical_cores": 2, "architecture": "x86_64", "system": "Linux"}');
INSERT INTO study_user_attributes VALUES(6,1,'artifacts','"/tmp/fixture/before.db.nasopt/artifacts"');
INSERT INTO study_user_attributes VALUES(7,1,'distributions','{"width": "{\"name\": \"IntDistribution\", \"attributes\": {\"log\": false, \"step\": 1, \"low\": 1, \"high\": 12}}", "rate": "{\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.0, \"high\": 1.0, \"log\": false}}", "kind": "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [\"plain\", \"fast\"]}}"}');
INSERT INTO study_user_attributes VALUES(8,1,'problem','{"kind": "python", "source": "ends:Ends", "provenance": "reported", "key": "ends:Ends", "points": "24 discrete points, times the continuous rate", "code": "ac16f7914a280beb18df97c0"}');
INSERT INTO study_user_attributes VALUES(9,1,'spec_hash','"535ed7faf0518f78b4e6be89"');
INSERT INTO study_user_attributes VALUES(10,1,'constraints','[{"key": "accuracy>=0.6", "metric": "accuracy", "min": 0.6, "max": null}, {"key": "weights<=900", "metric": "weights", "min": null, "max": 900.0}]');
INSERT INTO study_user_attributes VALUES(11,1,'session:f1f0e690405d','{"host": {"cpu_vendor": "AuthenticAMD", "cpu_family": "25", "cpu_model": "17", "cpu": "AMD EPYC", "cpu_stepping": "1", "cores": 2, "physical_cores": 2, "architecture": "x86_64", "system": "Linux"}, "hardware": "AMD EPYC", "started": "2026-11-28T11:56:41+00:00", "seconds": 2.336, "trials": 20, "energy_kwh": 4.903036644407787e-06, "co2_kg": 2.328942406093699e-06, "method": "codecarbon 3.3.2: thermal design power times load, world average grid"}');
INSERT INTO study_user_attributes VALUES(12,2,'spec','{"study": {"name": "digits", "storage": "sqlite:///before.db", "seed": 3, "trials": 3, "artifacts": null, "country": null}, "problem": {"kind": "network"}, "data": {"name": "digits", "root": "data", "download": true, "otherwise": null, "validation": 0.2, "train_images": null, "image_size": null, "augment": {"crop": 0, "flip": false, "color_jitter": 0.0, "randaugment": 0, "cutout": 0, "mixup": 0.0, "cutmix": 0.0}}, "space": {"family": "big-little", "resolution": null, "precision": null, "stem_channels": 8, "stem_stride": 1, "channels": [8, 12], "strides": [2, 2], "little": {"width": [0.5, 1.0], "depth": [1, 2], "kernel": [3, 5, 7], "expansion": [1, 2, 4, 6]}, "big": {"width": [0.5, 1.0], "depth": [1, 2, 3], "kernel": [3, 5, 7], "expansion": [1, 2, 4, 6]}, "router": {"kind": ["confidence", "learned", "difficulty"], "tau": {"low": 0.3, "high": 0.99, "step": null, "log": false}}, "loss": {"alpha": 1.0, "beta": 1.0, "gamma": 0.5, "lambda": 0.5, "temperature": 2.0, "eta": 0.1}}, "training": {"device": "auto", "threads": 1, "supernet": {"epochs": 3, "min_steps": 0, "batch_size": 64, "learning_rate": 0.004, "weight_decay": 0.01, "warmup_epochs": 1.0, "label_smoothing": 0.0, "clip_norm": 1.0, "ema": 0.99, "sandwich": true, "distill": true, "shrink": {"kernel": true, "depth": true, "width": true}}, "cotrain": {"epochs": 1, "batch_size": 128, "learning_rate": 0.001, "weight_decay": 0.01, "router_epochs": 5}, "relaxation": {"epochs": 3, "min_steps": 300, "batch_size": 96, "method": "gumbel", "learning_rate": 0.05, "weight_learning_rate": 0.0005, "temperature": 1.0, "final_temperature": 0.5, "divisions": 2}, "quantization": {"images": 128, "method": "minmax", "activations": "uint8", "per_channel": true, "reduce_range": false}}, "hardware": {"device": ["local"], "backend": null, "meter": null, "protocol": {"warmup_runs": 5, "warmup_s": 0.02, "min_runs": 30, "min_s": 0.05, "max_s": 1.0, "blocks": 5, "drift_limit": 0.5, "tight_enough": 0.2, "threads": null, "energy_windows": null, "energy_window_s": null}}, "objectives": [{"metric": "accuracy", "direction": null}, {"metric": "latency_ms", "direction": null}], "constraints": [{"metric": "macs_hard", "min": null, "max": 100000.0}], "sampler": {"name": "nsga2", "options": {}}}');
INSERT INTO study_user_attributes VALUES(13,2,'objectives','[{"metric": "accuracy", "direction": "maximize"}, {"metric": "latency_ms", "direction": "minimize"}]');
INSERT INTO study_user_attributes VALUES(14,2,'seed','3');
INSERT INTO study_user_attributes VALUES(15,2,'versions','{"python": "3.11.7", "nasopt": "0.1.0", "optuna": "5.0.0", "torch": "2.14.1", "torchvision": "0.29.1", "timm": "1.0.31", "onnx": "1.23.2", "onnxruntime": "1.32.0", "codecarbon": "3.3.2", "numpy": "2.4.6"}');
INSERT INTO study_user_attributes VALUES(16,2,'host','{"cpu_vendor": "AuthenticAMD", "cpu_family": "25", "cpu_model": "17", "cpu": "AMD EPYC", "cpu_stepping": "1", "cores": 2, "physical_cores": 2, "architecture": "x86_64", "system": "Linux"}');
INSERT INTO study_user_attributes VALUES(17,2,'artifacts','"/tmp/fixture/before.db.nasopt/artifacts"');
INSERT INTO study_user_attributes VALUES(18,2,'distributions','{"little.1.width": "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [0.5, 1.0]}}", "little.1.depth": "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [1, 2]}}", "little.1.kernel": "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [3, 5, 7]}}", "little.1.expansion": "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [1, 2, 4, 6]}}", "little.2.width": "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [0.5, 1.0]}}", "little.2.depth": "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [1, 2]}}", "little.2.kernel": "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [3, 5, 7]}}", "little.2.expansion": "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [1, 2, 4, 6]}}", "big.1.width": "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [0.5, 1.0]}}", "big.1.depth": "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [1, 2, 3]}}", "big.1.kernel": "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [3, 5, 7]}}", "big.1.expansion": "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [1, 2, 4, 6]}}", "big.2.width": "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [0.5, 1.0]}}", "big.2.depth": "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [1, 2, 3]}}", "big.2.kernel": "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [3, 5, 7]}}", "big.2.expansion": "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [1, 2, 4, 6]}}", "router.kind": "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [\"confidence\", \"learned\", \"difficulty\"]}}", "router.tau": "{\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0.3, \"high\": 0.99, \"log\": false}}"}');
INSERT INTO study_user_attributes VALUES(19,2,'data','{"name": "digits", "requested": "digits", "train": 1149, "validation": 288, "test": 360, "classes": 10, "preprocessing": {"scale": 0.00392156862745098, "mean": [0.3054833486919572], "std": [0.3759830297169843], "class_names": ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]}}');
INSERT INTO study_user_attributes VALUES(20,2,'devices','[{"name": "local", "description": "This machine''s CPU through ONNX Runtime", "backend": "onnxruntime", "provenance": "measured", "meter": "codecarbon", "remedy": ""}]');
INSERT INTO study_user_attributes VALUES(21,2,'spec_hash','"5bad2952c0e7396f977b1be6"');
INSERT INTO study_user_attributes VALUES(22,2,'supernet','{"key": "09ec66222e67f42be28668c5", "seconds": 3.3748752490000697, "cached": true, "subnet_accuracy": [0.2604166666666667, 0.1909722222222222, 0.1701388888888889, 0.1388888888888889, 0.2326388888888889, 0.3159722222222222, 0.2048611111111111, 0.2048611111111111, 0.13194444444444445, 0.3263888888888889, 0.1840277777777778, 0.2638888888888889, 0.1527777777777778, 0.2361111111111111, 0.3298611111111111, 0.14930555555555555, 0.3611111111111111, 0.11458333333333333, 0.16666666666666666, 0.22916666666666666]}');
INSERT INTO study_user_attributes VALUES(23,2,'constraints','[{"key": "little_lighter_than_big", "metric": "little_lighter_than_big", "min": null, "max": 0.0}, {"key": "macs_hard<=100000", "metric": "macs_hard", "min": null, "max": 100000.0}]');
INSERT INTO study_user_attributes VALUES(24,2,'session:19c1b3334ecd','{"host": {"cpu_vendor": "AuthenticAMD", "cpu_family": "25", "cpu_model": "17", "cpu": "AMD EPYC", "cpu_stepping": "1", "cores": 2, "physical_cores": 2, "architecture": "x86_64", "system": "Linux"}, "hardware": "AMD EPYC", "started": "2026-11-28T11:56:55+00:00", "seconds": 2.668, "trials": 3, "energy_kwh": 9.204887622325686e-06, "co2_kg": 4.372321620604701e-06, "method": "codecarbon 3.3.2: thermal design power times load, world average grid"}');
CREATE TABLE study_system_attributes (
	study_system_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_system_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO study_system_attributes VALUES(1,2,'NSGAIISampler:parent:1','[26, 29, 30, 27, 25, 28]');
INSERT INTO study_system_attributes VALUES(2,2,'NSGAIISampler:parent:2','[35, 26, 32, 29, 34, 36]');
CREATE TABLE trials (
	trial_id INTEGER NOT NULL, 
	number INTEGER, 
	study_id INTEGER, 
	state VARCHAR(8) NOT NULL, 
	datetime_start DATETIME, 
	datetime_complete DATETIME, 
	PRIMARY KEY (trial_id), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO trials VALUES(1,0,1,'COMPLETE','2026-11-28 11:56:43.274548','2026-11-28 11:56:43.314129');
INSERT INTO trials VALUES(2,1,1,'COMPLETE','2026-11-28 11:56:43.325914','2026-11-28 11:56:43.348123');
INSERT INTO trials VALUES(3,2,1,'COMPLETE','2026-11-28 11:56:43.356105','2026-11-28 11:56:43.384898');
INSERT INTO trials VALUES(4,3,1,'COMPLETE','2026-11-28 11:56:43.395194','2026-11-28 11:56:43.421642');
INSERT INTO trials VALUES(5,4,1,'COMPLETE','2026-11-28 11:56:43.433039','2026-11-28 11:56:43.456719');
INSERT INTO trials VALUES(6,5,1,'COMPLETE','2026-11-28 11:56:43.465936','2026-11-28 11:56:43.486754');
INSERT INTO trials VALUES(7,6,1,'COMPLETE','2026-11-28 11:56:43.496169','2026-11-28 11:56:43.515901');
INSERT INTO trials VALUES(8,7,1,'COMPLETE','2026-11-28 11:56:43.523266','2026-11-28 11:56:43.544065');
INSERT INTO trials VALUES(9,8,1,'FAIL','2026-11-28 11:56:43.552723','2026-11-28 11:56:43.569860');
INSERT INTO trials VALUES(10,9,1,'COMPLETE','2026-11-28 11:56:43.578150','2026-11-28 11:56:43.597554');
INSERT INTO trials VALUES(11,10,1,'PRUNED','2026-11-28 11:56:43.607681','2026-11-28 11:56:43.626397');
INSERT INTO trials VALUES(12,11,1,'COMPLETE','2026-11-28 11:56:43.636878','2026-11-28 11:56:43.667333');
INSERT INTO trials VALUES(13,12,1,'COMPLETE','2026-11-28 11:56:43.678388','2026-11-28 11:56:43.707186');
INSERT INTO trials VALUES(14,13,1,'COMPLETE','2026-11-28 11:56:43.714673','2026-11-28 11:56:43.742126');
INSERT INTO trials VALUES(15,14,1,'COMPLETE','2026-11-28 11:56:43.749574','2026-11-28 11:56:43.778868');
INSERT INTO trials VALUES(16,15,1,'COMPLETE','2026-11-28 11:56:43.786787','2026-11-28 11:56:43.813458');
INSERT INTO trials VALUES(17,16,1,'COMPLETE','2026-11-28 11:56:43.821245','2026-11-28 11:56:43.843164');
INSERT INTO trials VALUES(18,17,1,'COMPLETE','2026-11-28 11:56:43.851084','2026-11-28 11:56:43.874425');
INSERT INTO trials VALUES(19,18,1,'FAIL','2026-11-28 11:56:43.881570','2026-11-28 11:56:43.904137');
INSERT INTO trials VALUES(20,19,1,'COMPLETE','2026-11-28 11:56:43.914264','2026-11-28 11:56:43.941592');
INSERT INTO trials VALUES(21,20,1,'COMPLETE','2026-11-28 11:56:43.949434','2026-11-28 11:56:43.984503');
INSERT INTO trials VALUES(22,21,1,'COMPLETE','2026-11-28 11:56:43.993904','2026-11-28 11:56:44.021259');
INSERT INTO trials VALUES(23,22,1,'COMPLETE','2026-11-28 11:56:44.029576','2026-11-28 11:56:44.068801');
INSERT INTO trials VALUES(24,23,1,'RUNNING','2026-11-28 11:56:48.282137',NULL);
INSERT INTO trials VALUES(25,0,2,'COMPLETE','2026-11-28 11:56:56.574151','2026-11-28 11:56:56.628022');
INSERT INTO trials VALUES(26,1,2,'COMPLETE','2026-11-28 11:56:56.642142','2026-11-28 11:56:56.682832');
INSERT INTO trials VALUES(27,2,2,'COMPLETE','2026-11-28 11:56:56.693407','2026-11-28 11:56:56.724295');
INSERT INTO trials VALUES(28,3,2,'COMPLETE','2026-11-28 11:56:56.734023','2026-11-28 11:56:56.763082');
INSERT INTO trials VALUES(29,4,2,'COMPLETE','2026-11-28 11:56:56.772654','2026-11-28 11:56:56.805060');
INSERT INTO trials VALUES(30,5,2,'COMPLETE','2026-11-28 11:56:56.814232','2026-11-28 11:56:56.850507');
INSERT INTO trials VALUES(31,6,2,'COMPLETE','2026-11-28 11:56:56.861874','2026-11-28 11:56:56.898550');
INSERT INTO trials VALUES(32,7,2,'COMPLETE','2026-11-28 11:56:56.910590','2026-11-28 11:56:56.950933');
INSERT INTO trials VALUES(33,8,2,'COMPLETE','2026-11-28 11:56:56.966871','2026-11-28 11:56:57.023948');
INSERT INTO trials VALUES(34,9,2,'COMPLETE','2026-11-28 11:56:57.035622','2026-11-28 11:56:57.103054');
INSERT INTO trials VALUES(35,10,2,'COMPLETE','2026-11-28 11:56:57.127743','2026-11-28 11:56:57.184175');
INSERT INTO trials VALUES(36,11,2,'COMPLETE','2026-11-28 11:56:57.195211','2026-11-28 11:56:57.225057');
INSERT INTO trials VALUES(37,12,2,'COMPLETE','2026-11-28 11:56:57.234087','2026-11-28 11:56:57.368494');
INSERT INTO trials VALUES(38,13,2,'COMPLETE','2026-11-28 11:56:57.400698','2026-11-28 11:56:57.482617');
INSERT INTO trials VALUES(39,14,2,'COMPLETE','2026-11-28 11:56:57.498298','2026-11-28 11:56:57.568506');
INSERT INTO trials VALUES(40,15,2,'COMPLETE','2026-11-28 11:56:57.596044','2026-11-28 11:56:57.686039');
CREATE TABLE trial_user_attributes (
	trial_user_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_user_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO trial_user_attributes VALUES(1,1,'slot','{"slot": 0, "seed": 16823399, "owner": "cdc44ab1f53440108a92fa87cc929bda", "host": "vm", "pid": 13269}');
INSERT INTO trial_user_attributes VALUES(2,1,'reason','"weights<=900 violated by 11.1%"');
INSERT INTO trial_user_attributes VALUES(3,1,'ended','"infeasible"');
INSERT INTO trial_user_attributes VALUES(4,2,'slot','{"slot": 1, "seed": 3796490668, "owner": "cdc44ab1f53440108a92fa87cc929bda", "host": "vm", "pid": 13269}');
INSERT INTO trial_user_attributes VALUES(5,2,'outcome','{"quality": {}, "costs": {"weights": {"value": 200.0, "ci95": [200.0, 200.0], "provenance": "reported"}, "accuracy": {"value": 0.6325470500695297, "ci95": [0.6325470500695297, 0.6325470500695297], "provenance": "reported"}, "cost_us": {"value": 4.0, "ci95": [4.0, 4.0], "provenance": "reported"}}, "seconds": {"evaluate": 1.4662000012322096e-05}, "cached": [], "details": {}}');
INSERT INTO trial_user_attributes VALUES(6,2,'ended','"completed"');
INSERT INTO trial_user_attributes VALUES(7,3,'slot','{"slot": 2, "seed": 3226123765, "owner": "cdc44ab1f53440108a92fa87cc929bda", "host": "vm", "pid": 13269}');
INSERT INTO trial_user_attributes VALUES(8,3,'outcome','{"quality": {}, "costs": {"weights": {"value": 900.0, "ci95": [900.0, 900.0], "provenance": "reported"}, "accuracy": {"value": 0.8743805700957397, "ci95": [0.8743805700957397, 0.8743805700957397], "provenance": "reported"}, "cost_us": {"value": 13.5, "ci95": [13.5, 13.5], "provenance": "reported"}}, "seconds": {"evaluate": 1.8798000041897467e-05}, "cached": [], "details": {}}');
INSERT INTO trial_user_attributes VALUES(9,3,'ended','"completed"');
INSERT INTO trial_user_attributes VALUES(10,4,'slot','{"slot": 3, "seed": 727168946, "owner": "cdc44ab1f53440108a92fa87cc929bda", "host": "vm", "pid": 13269}');
INSERT INTO trial_user_attributes VALUES(11,4,'outcome','{"quality": {}, "costs": {"weights": {"value": 700.0, "ci95": [700.0, 700.0], "provenance": "reported"}, "accuracy": {"value": 0.833543315622978, "ci95": [0.833543315622978, 0.833543315622978], "provenance": "reported"}, "cost_us": {"value": 10.5, "ci95": [10.5, 10.5], "provenance": "reported"}}, "seconds": {"evaluate": 1.6033000008519593e-05}, "cached": [], "details": {}}');
INSERT INTO trial_user_attributes VALUES(12,4,'ended','"completed"');
INSERT INTO trial_user_attributes VALUES(13,5,'slot','{"slot": 4, "seed": 278233753, "owner": "cdc44ab1f53440108a92fa87cc929bda", "host": "vm", "pid": 13269}');
INSERT INTO trial_user_attributes VALUES(14,5,'reason','"the loss is not finite in epoch 1"');
INSERT INTO trial_user_attributes VALUES(15,5,'ended','"diverged"');
INSERT INTO trial_user_attributes VALUES(16,6,'slot','{"slot": 5, "seed": 1608096988, "owner": "cdc44ab1f53440108a92fa87cc929bda", "host": "vm", "pid": 13269}');
INSERT INTO trial_user_attributes VALUES(17,6,'reason','"weights<=900 violated by 33.3%"');
INSERT INTO trial_user_attributes VALUES(18,6,'ended','"infeasible"');
INSERT INTO trial_user_attributes VALUES(19,7,'slot','{"slot": 6, "seed": 1827940263, "owner": "cdc44ab1f53440108a92fa87cc929bda", "host": "vm", "pid": 13269}');
INSERT INTO trial_user_attributes VALUES(20,7,'outcome','{"quality": {}, "costs": {"weights": {"value": 200.0, "ci95": [200.0, 200.0], "provenance": "reported"}, "accuracy": {"value": 0.6645735941908643, "ci95": [0.6645735941908643, 0.6645735941908643], "provenance": "reported"}, "cost_us": {"value": 3.0, "ci95": [3.0, 3.0], "provenance": "reported"}}, "seconds": {"evaluate": 1.5463000011095573e-05}, "cached": [], "details": {}}');
INSERT INTO trial_user_attributes VALUES(21,7,'ended','"completed"');
INSERT INTO trial_user_attributes VALUES(22,8,'slot','{"slot": 7, "seed": 2524741263, "owner": "cdc44ab1f53440108a92fa87cc929bda", "host": "vm", "pid": 13269}');
INSERT INTO trial_user_attributes VALUES(23,8,'outcome','{"quality": {}, "costs": {"weights": {"value": 600.0, "ci95": [600.0, 600.0], "provenance": "reported"}, "accuracy": {"value": 0.8344051495684858, "ci95": [0.8344051495684858, 0.8344051495684858], "provenance": "reported"}, "cost_us": {"value": 12.0, "ci95": [12.0, 12.0], "provenance": "reported"}}, "seconds": {"evaluate": 1.4882000016314123e-05}, "cached": [], "details": {}}');
INSERT INTO trial_user_attributes VALUES(24,8,'ended','"completed"');
INSERT INTO trial_user_attributes VALUES(25,9,'slot','{"slot": 8, "seed": 881582233, "owner": "cdc44ab1f53440108a92fa87cc929bda", "host": "vm", "pid": 13269}');
INSERT INTO trial_user_attributes VALUES(26,9,'reason','"ends:Ends raised /tmp/fixture/ends.py:27: ValueError: the evaluation broke"');
INSERT INTO trial_user_attributes VALUES(27,9,'ended','"evaluation failed"');
INSERT INTO trial_user_attributes VALUES(28,10,'slot','{"slot": 9, "seed": 1615781351, "owner": "cdc44ab1f53440108a92fa87cc929bda", "host": "vm", "pid": 13269}');
INSERT INTO trial_user_attributes VALUES(29,10,'reason','"the loss is not finite in epoch 1"');
INSERT INTO trial_user_attributes VALUES(30,10,'ended','"diverged"');
INSERT INTO trial_user_attributes VALUES(31,11,'slot','{"slot": 10, "seed": 1117149863, "owner": "cdc44ab1f53440108a92fa87cc929bda", "host": "vm", "pid": 13269}');
INSERT INTO trial_user_attributes VALUES(32,11,'reason','"hopeless after one epoch"');
INSERT INTO trial_user_attributes VALUES(33,11,'ended','"pruned"');
INSERT INTO trial_user_attributes VALUES(34,12,'slot','{"slot": 11, "seed": 772704146, "owner": "cdc44ab1f53440108a92fa87cc929bda", "host": "vm", "pid": 13269}');
INSERT INTO trial_user_attributes VALUES(35,12,'outcome','{"quality": {}, "costs": {"weights": {"value": 400.0, "ci95": [400.0, 400.0], "provenance": "reported"}, "accuracy": {"value": 0.7051146830287948, "ci95": [0.7051146830287948, 0.7051146830287948], "provenance": "reported"}, "cost_us": {"value": 6.0, "ci95": [6.0, 6.0], "provenance": "reported"}}, "seconds": {"evaluate": 1.3941000020167849e-05}, "cached": [], "details": {}}');
INSERT INTO trial_user_attributes VALUES(36,12,'ended','"completed"');
INSERT INTO trial_user_attributes VALUES(37,13,'slot','{"slot": 12, "seed": 3151604870, "owner": "cdc44ab1f53440108a92fa87cc929bda", "host": "vm", "pid": 13269}');
INSERT INTO trial_user_attributes VALUES(38,13,'outcome','{"quality": {}, "costs": {"weights": {"value": 100.0, "ci95": [100.0, 100.0], "provenance": "reported"}, "accuracy": {"value": 0.45814273051172505, "ci95": [0.45814273051172505, 0.45814273051172505], "provenance": "reported"}, "cost_us": {"value": 1.5, "ci95": [1.5, 1.5], "provenance": "reported"}}, "seconds": {"evaluate": 1.4981999981955596e-05}, "cached": [], "details": {}}');
INSERT INTO trial_user_attributes VALUES(39,13,'ended','"completed"');
INSERT INTO trial_user_attributes VALUES(40,14,'slot','{"slot": 13, "seed": 4256408884, "owner": "cdc44ab1f53440108a92fa87cc929bda", "host": "vm", "pid": 13269}');
INSERT INTO trial_user_attributes VALUES(41,14,'outcome','{"quality": {}, "costs": {"weights": {"value": 400.0, "ci95": [400.0, 400.0], "provenance": "reported"}, "accuracy": {"value": 0.7756906857974832, "ci95": [0.7756906857974832, 0.7756906857974832], "provenance": "reported"}, "cost_us": {"value": 6.0, "ci95": [6.0, 6.0], "provenance": "reported"}}, "seconds": {"evaluate": 1.4832000033493387e-05}, "cached": [], "details": {}}');
INSERT INTO trial_user_attributes VALUES(42,14,'ended','"completed"');
INSERT INTO trial_user_attributes VALUES(43,15,'slot','{"slot": 14, "seed": 791663113, "owner": "cdc44ab1f53440108a92fa87cc929bda", "host": "vm", "pid": 13269}');
INSERT INTO trial_user_attributes VALUES(44,15,'outcome','{"quality": {}, "costs": {"weights": {"value": 600.0, "ci95": [600.0, 600.0], "provenance": "reported"}, "accuracy": {"value": 0.8067493171784059, "ci95": [0.8067493171784059, 0.8067493171784059], "provenance": "reported"}, "cost_us": {"value": 9.0, "ci95": [9.0, 9.0], "provenance": "reported"}}, "seconds": {"evaluate": 1.452199995810588e-05}, "cached": [], "details": {}}');
INSERT INTO trial_user_attributes VALUES(45,15,'ended','"completed"');
INSERT INTO trial_user_attributes VALUES(46,16,'slot','{"slot": 15, "seed": 568205030, "owner": "cdc44ab1f53440108a92fa87cc929bda", "host": "vm", "pid": 13269}');
INSERT INTO trial_user_attributes VALUES(47,16,'reason','"weights<=900 violated by 22.2%"');
INSERT INTO trial_user_attributes VALUES(48,16,'ended','"infeasible"');
INSERT INTO trial_user_attributes VALUES(49,17,'slot','{"slot": 16, "seed": 2361488482, "owner": "cdc44ab1f53440108a92fa87cc929bda", "host": "vm", "pid": 13269}');
INSERT INTO trial_user_attributes VALUES(50,17,'reason','"the loss is not finite in epoch 1"');
INSERT INTO trial_user_attributes VALUES(51,17,'ended','"diverged"');
INSERT INTO trial_user_attributes VALUES(52,18,'slot','{"slot": 17, "seed": 2481524307, "owner": "cdc44ab1f53440108a92fa87cc929bda", "host": "vm", "pid": 13269}');
INSERT INTO trial_user_attributes VALUES(53,18,'outcome','{"quality": {}, "costs": {"weights": {"value": 500.0, "ci95": [500.0, 500.0], "provenance": "reported"}, "accuracy": {"value": 0.830071694288329, "ci95": [0.830071694288329, 0.830071694288329], "provenance": "reported"}, "cost_us": {"value": 7.5, "ci95": [7.5, 7.5], "provenance": "reported"}}, "seconds": {"evaluate": 1.1586999960400135e-05}, "cached": [], "details": {}}');
INSERT INTO trial_user_attributes VALUES(54,18,'ended','"completed"');
INSERT INTO trial_user_attributes VALUES(55,19,'slot','{"slot": 18, "seed": 1008748114, "owner": "cdc44ab1f53440108a92fa87cc929bda", "host": "vm", "pid": 13269}');
INSERT INTO trial_user_attributes VALUES(56,19,'reason','"ends:Ends raised /tmp/fixture/ends.py:27: ValueError: the evaluation broke"');
INSERT INTO trial_user_attributes VALUES(57,19,'ended','"evaluation failed"');
INSERT INTO trial_user_attributes VALUES(58,20,'slot','{"slot": 19, "seed": 1058037409, "owner": "cdc44ab1f53440108a92fa87cc929bda", "host": "vm", "pid": 13269}');
INSERT INTO trial_user_attributes VALUES(59,20,'outcome','{"quality": {}, "costs": {"weights": {"value": 600.0, "ci95": [600.0, 600.0], "provenance": "reported"}, "accuracy": {"value": 0.8033582652634159, "ci95": [0.8033582652634159, 0.8033582652634159], "provenance": "reported"}, "cost_us": {"value": 12.0, "ci95": [12.0, 12.0], "provenance": "reported"}}, "seconds": {"evaluate": 1.1167000025125162e-05}, "cached": [], "details": {}}');
INSERT INTO trial_user_attributes VALUES(60,20,'ended','"completed"');
INSERT INTO trial_user_attributes VALUES(61,21,'slot','{"slot": 20, "seed": 2912076504, "owner": "cdc44ab1f53440108a92fa87cc929bda", "host": "vm", "pid": 13269}');
INSERT INTO trial_user_attributes VALUES(62,21,'outcome','{"quality": {}, "costs": {"weights": {"value": 300.0, "ci95": [300.0, 300.0], "provenance": "reported"}, "accuracy": {"value": 0.7478820193789549, "ci95": [0.7478820193789549, 0.7478820193789549], "provenance": "reported"}, "cost_us": {"value": 6.0, "ci95": [6.0, 6.0], "provenance": "reported"}}, "seconds": {"evaluate": 1.4822000025560556e-05}, "cached": [], "details": {}}');
INSERT INTO trial_user_attributes VALUES(63,21,'ended','"completed"');
INSERT INTO trial_user_attributes VALUES(64,22,'slot','{"slot": 21, "seed": 2483408722, "owner": "cdc44ab1f53440108a92fa87cc929bda", "host": "vm", "pid": 13269}');
INSERT INTO trial_user_attributes VALUES(65,22,'outcome','{"quality": {}, "costs": {"weights": {"value": 400.0, "ci95": [400.0, 400.0], "provenance": "reported"}, "accuracy": {"value": 0.7841876186300912, "ci95": [0.7841876186300912, 0.7841876186300912], "provenance": "reported"}, "cost_us": {"value": 6.0, "ci95": [6.0, 6.0], "provenance": "reported"}}, "seconds": {"evaluate": 1.2668000010762626e-05}, "cached": [], "details": {}}');
INSERT INTO trial_user_attributes VALUES(66,22,'ended','"completed"');
INSERT INTO trial_user_attributes VALUES(67,23,'slot','{"slot": 22, "seed": 3883737472, "owner": "cdc44ab1f53440108a92fa87cc929bda", "host": "vm", "pid": 13269}');
INSERT INTO trial_user_attributes VALUES(68,23,'outcome','{"quality": {}, "costs": {"weights": {"value": 600.0, "ci95": [600.0, 600.0], "provenance": "reported"}, "accuracy": {"value": 0.8033955270166002, "ci95": [0.8033955270166002, 0.8033955270166002], "provenance": "reported"}, "cost_us": {"value": 9.0, "ci95": [9.0, 9.0], "provenance": "reported"}}, "seconds": {"evaluate": 1.4852000049359049e-05}, "cached": [], "details": {}}');
INSERT INTO trial_user_attributes VALUES(69,23,'ended','"completed"');
INSERT INTO trial_user_attributes VALUES(70,24,'slot','{"slot": 23, "seed": 1468047861, "owner": "da5bcb3027f74045ac4df2305eb764d0", "host": "vm", "pid": 13294}');
INSERT INTO trial_user_attributes VALUES(71,25,'slot','{"slot": 0, "seed": 1576890651, "owner": "aff200d587304cd08b023e8e9006ca25", "host": "vm", "pid": 13369}');
INSERT INTO trial_user_attributes VALUES(72,25,'reason','"little_lighter_than_big violated by 180%"');
INSERT INTO trial_user_attributes VALUES(73,25,'ended','"infeasible"');
INSERT INTO trial_user_attributes VALUES(74,26,'slot','{"slot": 1, "seed": 457190280, "owner": "aff200d587304cd08b023e8e9006ca25", "host": "vm", "pid": 13369}');
INSERT INTO trial_user_attributes VALUES(75,26,'reason','"macs_hard<=100000 violated by 8.05%"');
INSERT INTO trial_user_attributes VALUES(76,26,'ended','"infeasible"');
INSERT INTO trial_user_attributes VALUES(77,27,'slot','{"slot": 2, "seed": 960329833, "owner": "aff200d587304cd08b023e8e9006ca25", "host": "vm", "pid": 13369}');
INSERT INTO trial_user_attributes VALUES(78,27,'reason','"little_lighter_than_big violated by 26.1%; macs_hard<=100000 violated by 123%"');
INSERT INTO trial_user_attributes VALUES(79,27,'ended','"infeasible"');
INSERT INTO trial_user_attributes VALUES(80,28,'slot','{"slot": 3, "seed": 4253259675, "owner": "aff200d587304cd08b023e8e9006ca25", "host": "vm", "pid": 13369}');
INSERT INTO trial_user_attributes VALUES(81,28,'reason','"little_lighter_than_big violated by 361%"');
INSERT INTO trial_user_attributes VALUES(82,28,'ended','"infeasible"');
INSERT INTO trial_user_attributes VALUES(83,29,'slot','{"slot": 4, "seed": 2746448868, "owner": "aff200d587304cd08b023e8e9006ca25", "host": "vm", "pid": 13369}');
INSERT INTO trial_user_attributes VALUES(84,29,'reason','"macs_hard<=100000 violated by 20.9%"');
INSERT INTO trial_user_attributes VALUES(85,29,'ended','"infeasible"');
INSERT INTO trial_user_attributes VALUES(86,30,'slot','{"slot": 5, "seed": 3746004709, "owner": "aff200d587304cd08b023e8e9006ca25", "host": "vm", "pid": 13369}');
INSERT INTO trial_user_attributes VALUES(87,30,'reason','"macs_hard<=100000 violated by 105%"');
INSERT INTO trial_user_attributes VALUES(88,30,'ended','"infeasible"');
INSERT INTO trial_user_attributes VALUES(89,31,'slot','{"slot": 6, "seed": 534926514, "owner": "aff200d587304cd08b023e8e9006ca25", "host": "vm", "pid": 13369}');
INSERT INTO trial_user_attributes VALUES(90,31,'reason','"macs_hard<=100000 violated by 45.7%"');
INSERT INTO trial_user_attributes VALUES(91,31,'ended','"infeasible"');
INSERT INTO trial_user_attributes VALUES(92,32,'slot','{"slot": 7, "seed": 2580024465, "owner": "aff200d587304cd08b023e8e9006ca25", "host": "vm", "pid": 13369}');
INSERT INTO trial_user_attributes VALUES(93,32,'reason','"macs_hard<=100000 violated by 9.52%"');
INSERT INTO trial_user_attributes VALUES(94,32,'ended','"infeasible"');
INSERT INTO trial_user_attributes VALUES(95,33,'slot','{"slot": 8, "seed": 1820076146, "owner": "aff200d587304cd08b023e8e9006ca25", "host": "vm", "pid": 13369}');
INSERT INTO trial_user_attributes VALUES(96,33,'reason','"macs_hard<=100000 violated by 54.9%"');
INSERT INTO trial_user_attributes VALUES(97,33,'ended','"infeasible"');
INSERT INTO trial_user_attributes VALUES(98,34,'slot','{"slot": 9, "seed": 2954317433, "owner": "aff200d587304cd08b023e8e9006ca25", "host": "vm", "pid": 13369}');
INSERT INTO trial_user_attributes VALUES(99,34,'reason','"macs_hard<=100000 violated by 26.4%"');
INSERT INTO trial_user_attributes VALUES(100,34,'ended','"infeasible"');
INSERT INTO trial_user_attributes VALUES(101,35,'slot','{"slot": 10, "seed": 3843874747, "owner": "aff200d587304cd08b023e8e9006ca25", "host": "vm", "pid": 13369}');
INSERT INTO trial_user_attributes VALUES(102,35,'outcome','{"quality": {"accuracy": 0.40625, "top5": 0.8333333333333334, "ece": 0.2862440036116189, "exit_rate": 0.0, "routing_accuracy": 0.3125}, "costs": {"macs": {"value": 93128.0, "ci95": [92617.46662558864, 93128.0], "provenance": "computed"}, "macs_easy": {"value": 39160.0, "ci95": [39160.0, 39160.0], "provenance": "computed"}, "macs_hard": {"value": 93128.0, "ci95": [93128.0, 93128.0], "provenance": "computed"}, "params": {"value": 6172.0, "ci95": [6172.0, 6172.0], "provenance": "computed"}, "model_size_mb": {"value": 0.029707, "ci95": [0.029707, 0.029707], "provenance": "computed"}, "latency_ms": {"value": 0.023643437312202146, "ci95": [0.023524129299307934, 0.023661322694615183], "provenance": "measured"}, "latency_p90_ms": {"value": 0.023643437312202146, "ci95": [0.023572794070736775, 0.023661322694615183], "provenance": "measured"}, "latency_worst_ms": {"value": 0.023643437312202146, "ci95": [0.023572794070736775, 0.023661322694615183], "provenance": "measured"}, "throughput": {"value": 162197.69609454484, "ci95": [162080.77297848905, 162902.46103994953], "provenance": "measured"}, "energy_mj": {"value": 0.09457374924880857, "ci95": [0.09409651719723172, 0.09464529077846072], "provenance": "estimated"}, "peak_memory_mb": {"value": 0.991232, "ci95": [0.991232, 0.991232], "provenance": "measured"}}, "seconds": {"train": 0.2141486340000256, "export": 0.07158090399997263, "evaluate": 0.0073823789999778455, "measure": 1.138863921199993}, "cached": ["train", "evaluate", "export", "measure"], "details": {"parity": {"images": 256, "tau": 0.11533021926879883, "exited": 128, "max_difference": 4.76837158203125e-07, "max_score_difference": 7.450580596923828e-08, "decisions_differing": 0, "ties": 0}, "validation_images": 288, "devices": {"local": {"backend": "onnxruntime", "provider": "CPUExecutionProvider", "runtime": "onnxruntime 1.32.0", "meter": "codecarbon", "easy_ms": 0.01348, "hard_ms": 0.010163437312202145, "runs": [3565, 490, 4845, 1675, 515], "steady": true}}, "precision": "fp32"}}');
INSERT INTO trial_user_attributes VALUES(103,35,'ended','"completed"');
INSERT INTO trial_user_attributes VALUES(104,36,'slot','{"slot": 11, "seed": 1841034276, "owner": "aff200d587304cd08b023e8e9006ca25", "host": "vm", "pid": 13369}');
INSERT INTO trial_user_attributes VALUES(105,36,'reason','"macs_hard<=100000 violated by 44.4%"');
INSERT INTO trial_user_attributes VALUES(106,36,'ended','"infeasible"');
INSERT INTO trial_user_attributes VALUES(107,37,'slot','{"slot": 12, "seed": 2824790213, "owner": "aff200d587304cd08b023e8e9006ca25", "host": "vm", "pid": 13369}');
INSERT INTO trial_user_attributes VALUES(108,37,'outcome','{"quality": {"accuracy": 0.3229166666666667, "top5": 0.7604166666666666, "ece": 0.20783535222460683, "exit_rate": 0.0, "routing_accuracy": 0.2743055555555556}, "costs": {"macs": {"value": 70736.0, "ci95": [70239.99707443046, 70736.0], "provenance": "computed"}, "macs_easy": {"value": 18304.0, "ci95": [18304.0, 18304.0], "provenance": "computed"}, "macs_hard": {"value": 70736.0, "ci95": [70736.0, 70736.0], "provenance": "computed"}, "params": {"value": 4928.0, "ci95": [4928.0, 4928.0], "provenance": "computed"}, "model_size_mb": {"value": 0.025931, "ci95": [0.025931, 0.025931], "provenance": "computed"}, "latency_ms": {"value": 0.024274896973813374, "ci95": [0.02415664215886031, 0.024305398159826196], "provenance": "measured"}, "latency_p90_ms": {"value": 0.024274896973813374, "ci95": [0.024230177726902075, 0.024305398159826196], "provenance": "measured"}, "latency_worst_ms": {"value": 0.024274896973813374, "ci95": [0.024230177726902075, 0.024305398159826196], "provenance": "measured"}, "throughput": {"value": 185257.89679904838, "ci95": [185018.65610072622, 186255.69615776034], "provenance": "measured"}, "energy_mj": {"value": 0.0970995878952535, "ci95": [0.09662656863544124, 0.09722159263930479], "provenance": "estimated"}, "peak_memory_mb": {"value": 1.097728, "ci95": [1.097728, 1.097728], "provenance": "measured"}}, "seconds": {"train": 0.1877936050000244, "export": 0.06077669100000094, "evaluate": 0.0078111050000302384, "measure": 0.9282908759999828}, "cached": ["train", "evaluate", "export", "measure"], "details": {"parity": {"images": 256, "tau": 0.1087249219417572, "exited": 128, "max_difference": 2.6635825634002686e-07, "max_score_difference": 4.470348358154297e-08, "decisions_differing": 0, "ties": 2}, "validation_images": 288, "devices": {"local": {"backend": "onnxruntime", "provider": "CPUExecutionProvider", "runtime": "onnxruntime 1.32.0", "meter": "codecarbon", "easy_ms": 0.012702584373998764, "hard_ms": 0.01157231259981461, "runs": [3745, 620, 7461, 925, 495], "steady": true}}, "precision": "fp32"}}');
INSERT INTO trial_user_attributes VALUES(109,37,'ended','"completed"');
INSERT INTO trial_user_attributes VALUES(110,38,'slot','{"slot": 13, "seed": 3100041415, "owner": "aff200d587304cd08b023e8e9006ca25", "host": "vm", "pid": 13369}');
INSERT INTO trial_user_attributes VALUES(111,38,'reason','"macs_hard<=100000 violated by 21.2%"');
INSERT INTO trial_user_attributes VALUES(112,38,'ended','"infeasible"');
INSERT INTO trial_user_attributes VALUES(113,39,'slot','{"slot": 14, "seed": 408810553, "owner": "aff200d587304cd08b023e8e9006ca25", "host": "vm", "pid": 13369}');
INSERT INTO trial_user_attributes VALUES(114,39,'reason','"macs_hard<=100000 violated by 50.9%"');
INSERT INTO trial_user_attributes VALUES(115,39,'ended','"infeasible"');
INSERT INTO trial_user_attributes VALUES(116,40,'slot','{"slot": 15, "seed": 2849856263, "owner": "aff200d587304cd08b023e8e9006ca25", "host": "vm", "pid": 13369}');
INSERT INTO trial_user_attributes VALUES(117,40,'outcome','{"quality": {"accuracy": 0.3194444444444444, "top5": 0.7777777777777778, "ece": 0.20420428212980427, "exit_rate": 0.0, "routing_accuracy": 0.2916666666666667}, "costs": {"macs": {"value": 87824.0, "ci95": [87352.81992453526, 87824.0], "provenance": "computed"}, "macs_easy": {"value": 38016.0, "ci95": [38016.0, 38016.0], "provenance": "computed"}, "macs_hard": {"value": 87824.0, "ci95": [87824.0, 87824.0], "provenance": "computed"}, "params": {"value": 5104.0, "ci95": [5104.0, 5104.0], "provenance": "computed"}, "model_size_mb": {"value": 0.02562, "ci95": [0.02562, 0.02562], "provenance": "computed"}, "latency_ms": {"value": 0.023523165498240208, "ci95": [0.023426500731498406, 0.023573843442922977], "provenance": "measured"}, "latency_p90_ms": {"value": 0.023523165498240208, "ci95": [0.023517621389122386, 0.023573843442922977], "provenance": "measured"}, "latency_worst_ms": {"value": 0.023523165498240208, "ci95": [0.023517621389122386, 0.023573843442922977], "provenance": "measured"}, "throughput": {"value": 170184.2764581654, "ci95": [170070.850332255, 170967.4722130897], "provenance": "measured"}, "energy_mj": {"value": 0.09409266199296082, "ci95": [0.09370600292599361, 0.09429537377169189], "provenance": "estimated"}, "peak_memory_mb": {"value": 0.9707520000000001, "ci95": [0.9707520000000001, 0.9707520000000001], "provenance": "measured"}}, "seconds": {"train": 0.16748452399997404, "export": 0.042081472999996095, "evaluate": 0.005959297999993396, "measure": 0.859078675800015}, "cached": ["train", "evaluate", "export", "measure"], "details": {"parity": {"images": 256, "tau": 0.11094707250595093, "exited": 128, "max_difference": 4.172325134277344e-07, "max_score_difference": 7.450580596923828e-08, "decisions_differing": 0, "ties": 0}, "validation_images": 288, "devices": {"local": {"backend": "onnxruntime", "provider": "CPUExecutionProvider", "runtime": "onnxruntime 1.32.0", "meter": "codecarbon", "easy_ms": 0.013321644812555303, "hard_ms": 0.010201520685684905, "runs": [3550, 515, 4745, 1755, 540], "steady": true}}, "precision": "fp32"}}');
INSERT INTO trial_user_attributes VALUES(118,40,'ended','"completed"');
CREATE TABLE trial_system_attributes (
	trial_system_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_system_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO trial_system_attributes VALUES(1,1,'constraints:accuracy>=0.6','0.0');
INSERT INTO trial_system_attributes VALUES(2,1,'constraints:weights<=900','0.1111111111111111');
INSERT INTO trial_system_attributes VALUES(3,2,'constraints:accuracy>=0.6','-0.05424508344921623');
INSERT INTO trial_system_attributes VALUES(4,2,'constraints:weights<=900','-0.7777777777777778');
INSERT INTO trial_system_attributes VALUES(5,3,'constraints:accuracy>=0.6','-0.4573009501595662');
INSERT INTO trial_system_attributes VALUES(6,3,'constraints:weights<=900','0.0');
INSERT INTO trial_system_attributes VALUES(7,4,'constraints:accuracy>=0.6','-0.38923885937163005');
INSERT INTO trial_system_attributes VALUES(8,4,'constraints:weights<=900','-0.2222222222222222');
INSERT INTO trial_system_attributes VALUES(9,5,'constraints:accuracy>=0.6','0.0');
INSERT INTO trial_system_attributes VALUES(10,5,'constraints:weights<=900','0.0');
INSERT INTO trial_system_attributes VALUES(11,6,'constraints:accuracy>=0.6','0.0');
INSERT INTO trial_system_attributes VALUES(12,6,'constraints:weights<=900','0.3333333333333333');
INSERT INTO trial_system_attributes VALUES(13,7,'constraints:accuracy>=0.6','-0.1076226569847738');
INSERT INTO trial_system_attributes VALUES(14,7,'constraints:weights<=900','-0.7777777777777778');
INSERT INTO trial_system_attributes VALUES(15,8,'constraints:accuracy>=0.6','-0.39067524928080966');
INSERT INTO trial_system_attributes VALUES(16,8,'constraints:weights<=900','-0.3333333333333333');
INSERT INTO trial_system_attributes VALUES(17,9,'constraints:accuracy>=0.6','0.0');
INSERT INTO trial_system_attributes VALUES(18,9,'constraints:weights<=900','0.0');
INSERT INTO trial_system_attributes VALUES(19,10,'constraints:accuracy>=0.6','0.0');
INSERT INTO trial_system_attributes VALUES(20,10,'constraints:weights<=900','0.0');
INSERT INTO trial_system_attributes VALUES(21,11,'constraints:accuracy>=0.6','0.0');
INSERT INTO trial_system_attributes VALUES(22,11,'constraints:weights<=900','0.0');
INSERT INTO trial_system_attributes VALUES(23,12,'tpe:relative_params:0','"{\"width\": 4, \"rate\": 0.0255734151439736, \"kind\": \"fast\"}"');
INSERT INTO trial_system_attributes VALUES(24,12,'constraints:accuracy>=0.6','-0.17519113838132466');
INSERT INTO trial_system_attributes VALUES(25,12,'constraints:weights<=900','-0.5555555555555556');
INSERT INTO trial_system_attributes VALUES(26,13,'tpe:relative_params:0','"{\"width\": 1, \"rate\": 0.29071365255862536, \"kind\": \"fast\"}"');
INSERT INTO trial_system_attributes VALUES(27,13,'constraints:accuracy>=0.6','0.23642878248045823');
INSERT INTO trial_system_attributes VALUES(28,13,'constraints:weights<=900','-0.8888888888888888');
INSERT INTO trial_system_attributes VALUES(29,14,'tpe:relative_params:0','"{\"width\": 4, \"rate\": 0.6215465710125843, \"kind\": \"fast\"}"');
INSERT INTO trial_system_attributes VALUES(30,14,'constraints:accuracy>=0.6','-0.2928178096624721');
INSERT INTO trial_system_attributes VALUES(31,14,'constraints:weights<=900','-0.5555555555555556');
INSERT INTO trial_system_attributes VALUES(32,15,'tpe:relative_params:0','"{\"width\": 6, \"rate\": 0.7519676998222564, \"kind\": \"fast\"}"');
INSERT INTO trial_system_attributes VALUES(33,15,'constraints:accuracy>=0.6','-0.34458219529734324');
INSERT INTO trial_system_attributes VALUES(34,15,'constraints:weights<=900','-0.3333333333333333');
INSERT INTO trial_system_attributes VALUES(35,16,'tpe:relative_params:0','"{\"width\": 11, \"rate\": 0.7658412151126666, \"kind\": \"fast\"}"');
INSERT INTO trial_system_attributes VALUES(36,16,'constraints:accuracy>=0.6','0.0');
INSERT INTO trial_system_attributes VALUES(37,16,'constraints:weights<=900','0.2222222222222222');
INSERT INTO trial_system_attributes VALUES(38,17,'tpe:relative_params:0','"{\"width\": 2, \"rate\": 0.9740967920708764, \"kind\": \"fast\"}"');
INSERT INTO trial_system_attributes VALUES(39,17,'constraints:accuracy>=0.6','0.0');
INSERT INTO trial_system_attributes VALUES(40,17,'constraints:weights<=900','0.0');
INSERT INTO trial_system_attributes VALUES(41,18,'tpe:relative_params:0','"{\"width\": 5, \"rate\": 0.48369180477497825, \"kind\": \"fast\"}"');
INSERT INTO trial_system_attributes VALUES(42,18,'constraints:accuracy>=0.6','-0.3834528238138818');
INSERT INTO trial_system_attributes VALUES(43,18,'constraints:weights<=900','-0.4444444444444444');
INSERT INTO trial_system_attributes VALUES(44,19,'tpe:relative_params:0','"{\"width\": 4, \"rate\": 0.3163914597521238, \"kind\": \"fast\"}"');
INSERT INTO trial_system_attributes VALUES(45,19,'constraints:accuracy>=0.6','0.0');
INSERT INTO trial_system_attributes VALUES(46,19,'constraints:weights<=900','0.0');
INSERT INTO trial_system_attributes VALUES(47,20,'tpe:relative_params:0','"{\"width\": 6, \"rate\": 0.23107704060279333, \"kind\": \"plain\"}"');
INSERT INTO trial_system_attributes VALUES(48,20,'constraints:accuracy>=0.6','-0.33893044210569323');
INSERT INTO trial_system_attributes VALUES(49,20,'constraints:weights<=900','-0.3333333333333333');
INSERT INTO trial_system_attributes VALUES(50,21,'tpe:relative_params:0','"{\"width\": 3, \"rate\": 0.4894100968947749, \"kind\": \"plain\"}"');
INSERT INTO trial_system_attributes VALUES(51,21,'constraints:accuracy>=0.6','-0.24647003229825826');
INSERT INTO trial_system_attributes VALUES(52,21,'constraints:weights<=900','-0.6666666666666666');
INSERT INTO trial_system_attributes VALUES(53,22,'tpe:relative_params:0','"{\"width\": 4, \"rate\": 0.42093809315045605, \"kind\": \"fast\"}"');
INSERT INTO trial_system_attributes VALUES(54,22,'constraints:accuracy>=0.6','-0.30697936438348544');
INSERT INTO trial_system_attributes VALUES(55,22,'constraints:weights<=900','-0.5555555555555556');
INSERT INTO trial_system_attributes VALUES(56,23,'tpe:relative_params:0','"{\"width\": 6, \"rate\": 0.2312633493687148, \"kind\": \"fast\"}"');
INSERT INTO trial_system_attributes VALUES(57,23,'constraints:accuracy>=0.6','-0.33899254502766707');
INSERT INTO trial_system_attributes VALUES(58,23,'constraints:weights<=900','-0.3333333333333333');
INSERT INTO trial_system_attributes VALUES(59,24,'tpe:relative_params:0','"{\"width\": 5, \"rate\": 0.43441493829268923, \"kind\": \"fast\"}"');
INSERT INTO trial_system_attributes VALUES(60,25,'NSGAIISampler:generation','0');
INSERT INTO trial_system_attributes VALUES(61,25,'constraints:little_lighter_than_big','1.7977059436913452');
INSERT INTO trial_system_attributes VALUES(62,25,'constraints:macs_hard<=100000','0.0');
INSERT INTO trial_system_attributes VALUES(63,26,'NSGAIISampler:generation','0');
INSERT INTO trial_system_attributes VALUES(64,26,'constraints:little_lighter_than_big','-0.6606198818285478');
INSERT INTO trial_system_attributes VALUES(65,26,'constraints:macs_hard<=100000','0.08048');
INSERT INTO trial_system_attributes VALUES(66,27,'NSGAIISampler:generation','0');
INSERT INTO trial_system_attributes VALUES(67,27,'constraints:little_lighter_than_big','0.26132028528777584');
INSERT INTO trial_system_attributes VALUES(68,27,'constraints:macs_hard<=100000','1.22744');
INSERT INTO trial_system_attributes VALUES(69,28,'NSGAIISampler:generation','0');
INSERT INTO trial_system_attributes VALUES(70,28,'constraints:little_lighter_than_big','3.607795371498173');
INSERT INTO trial_system_attributes VALUES(71,28,'constraints:macs_hard<=100000','0.0');
INSERT INTO trial_system_attributes VALUES(72,29,'NSGAIISampler:generation','0');
INSERT INTO trial_system_attributes VALUES(73,29,'constraints:little_lighter_than_big','-0.6056797467139978');
INSERT INTO trial_system_attributes VALUES(74,29,'constraints:macs_hard<=100000','0.20872');
INSERT INTO trial_system_attributes VALUES(75,30,'NSGAIISampler:generation','0');
INSERT INTO trial_system_attributes VALUES(76,30,'constraints:little_lighter_than_big','-0.40183872821298605');
INSERT INTO trial_system_attributes VALUES(77,30,'constraints:macs_hard<=100000','1.05072');
INSERT INTO trial_system_attributes VALUES(78,31,'NSGAIISampler:generation','1');
INSERT INTO trial_system_attributes VALUES(79,31,'constraints:little_lighter_than_big','-0.4819474364498061');
INSERT INTO trial_system_attributes VALUES(80,31,'constraints:macs_hard<=100000','0.45688');
INSERT INTO trial_system_attributes VALUES(81,32,'NSGAIISampler:generation','1');
INSERT INTO trial_system_attributes VALUES(82,32,'constraints:little_lighter_than_big','-0.8098265370992643');
INSERT INTO trial_system_attributes VALUES(83,32,'constraints:macs_hard<=100000','0.0952');
INSERT INTO trial_system_attributes VALUES(84,33,'NSGAIISampler:generation','1');
INSERT INTO trial_system_attributes VALUES(85,33,'constraints:little_lighter_than_big','-0.6137554424027747');
INSERT INTO trial_system_attributes VALUES(86,33,'constraints:macs_hard<=100000','0.54888');
INSERT INTO trial_system_attributes VALUES(87,34,'NSGAIISampler:generation','1');
INSERT INTO trial_system_attributes VALUES(88,34,'constraints:little_lighter_than_big','-0.2176615456784332');
INSERT INTO trial_system_attributes VALUES(89,34,'constraints:macs_hard<=100000','0.264');
INSERT INTO trial_system_attributes VALUES(90,35,'NSGAIISampler:generation','1');
INSERT INTO trial_system_attributes VALUES(91,35,'artifacts:50c1383c-0898-4f25-989b-ce9c61ed65e0','"{\"artifact_id\": \"50c1383c-0898-4f25-989b-ce9c61ed65e0\", \"filename\": \"pair.safetensors\", \"mimetype\": \"application/octet-stream\", \"encoding\": null}"');
INSERT INTO trial_system_attributes VALUES(92,35,'artifacts:ff77694d-1383-4c5f-aad6-18eaa066e00e','"{\"artifact_id\": \"ff77694d-1383-4c5f-aad6-18eaa066e00e\", \"filename\": \"classes.csv\", \"mimetype\": \"text/csv\", \"encoding\": null}"');
INSERT INTO trial_system_attributes VALUES(93,35,'constraints:little_lighter_than_big','-0.3597687518529499');
INSERT INTO trial_system_attributes VALUES(94,35,'constraints:macs_hard<=100000','-0.06872');
INSERT INTO trial_system_attributes VALUES(95,36,'NSGAIISampler:generation','1');
INSERT INTO trial_system_attributes VALUES(96,36,'constraints:little_lighter_than_big','-0.7693608625184977');
INSERT INTO trial_system_attributes VALUES(97,36,'constraints:macs_hard<=100000','0.44392');
INSERT INTO trial_system_attributes VALUES(98,37,'NSGAIISampler:generation','2');
INSERT INTO trial_system_attributes VALUES(99,37,'artifacts:94497d7a-d67e-4cc5-92aa-ba2787bd23ce','"{\"artifact_id\": \"94497d7a-d67e-4cc5-92aa-ba2787bd23ce\", \"filename\": \"pair.safetensors\", \"mimetype\": \"application/octet-stream\", \"encoding\": null}"');
INSERT INTO trial_system_attributes VALUES(100,37,'artifacts:8dd5339b-29d5-42c9-a2c0-9a872a1050b0','"{\"artifact_id\": \"8dd5339b-29d5-42c9-a2c0-9a872a1050b0\", \"filename\": \"classes.csv\", \"mimetype\": \"text/csv\", \"encoding\": null}"');
INSERT INTO trial_system_attributes VALUES(101,37,'constraints:little_lighter_than_big','-0.7387854745193775');
INSERT INTO trial_system_attributes VALUES(102,37,'constraints:macs_hard<=100000','-0.29264');
INSERT INTO trial_system_attributes VALUES(103,38,'NSGAIISampler:generation','2');
INSERT INTO trial_system_attributes VALUES(104,38,'constraints:little_lighter_than_big','-0.29412454556115863');
INSERT INTO trial_system_attributes VALUES(105,38,'constraints:macs_hard<=100000','0.21184');
INSERT INTO trial_system_attributes VALUES(106,39,'NSGAIISampler:generation','2');
INSERT INTO trial_system_attributes VALUES(107,39,'constraints:little_lighter_than_big','-0.7353164994811484');
INSERT INTO trial_system_attributes VALUES(108,39,'constraints:macs_hard<=100000','0.50856');
INSERT INTO trial_system_attributes VALUES(109,40,'NSGAIISampler:generation','2');
INSERT INTO trial_system_attributes VALUES(110,40,'artifacts:a2c2d585-4d11-45ba-81ab-5922d69c7339','"{\"artifact_id\": \"a2c2d585-4d11-45ba-81ab-5922d69c7339\", \"filename\": \"pair.safetensors\", \"mimetype\": \"application/octet-stream\", \"encoding\": null}"');
INSERT INTO trial_system_attributes VALUES(111,40,'artifacts:69a9fd6b-e348-462e-b46a-bcbf30287171','"{\"artifact_id\": \"69a9fd6b-e348-462e-b46a-bcbf30287171\", \"filename\": \"classes.csv\", \"mimetype\": \"text/csv\", \"encoding\": null}"');
INSERT INTO trial_system_attributes VALUES(112,40,'constraints:little_lighter_than_big','-0.329264375200771');
INSERT INTO trial_system_attributes VALUES(113,40,'constraints:macs_hard<=100000','-0.12176');
CREATE TABLE trial_params (
	param_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	param_name VARCHAR(512), 
	param_value FLOAT, 
	distribution_json TEXT, 
	PRIMARY KEY (param_id), 
	UNIQUE (trial_id, param_name), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO trial_params VALUES(1,1,'width',10.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 12}}');
INSERT INTO trial_params VALUES(2,1,'rate',0.5535637721181974058,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO trial_params VALUES(3,1,'kind',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "fast"]}}');
INSERT INTO trial_params VALUES(4,2,'width',2.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 12}}');
INSERT INTO trial_params VALUES(5,2,'rate',0.67059808298568535089,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO trial_params VALUES(6,2,'kind',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "fast"]}}');
INSERT INTO trial_params VALUES(7,3,'width',9.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 12}}');
INSERT INTO trial_params VALUES(8,3,'rate',0.37190285047869819923,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO trial_params VALUES(9,3,'kind',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "fast"]}}');
INSERT INTO trial_params VALUES(10,4,'width',7.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 12}}');
INSERT INTO trial_params VALUES(11,4,'rate',0.70728342188511006405,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO trial_params VALUES(12,4,'kind',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "fast"]}}');
INSERT INTO trial_params VALUES(13,5,'width',9.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 12}}');
INSERT INTO trial_params VALUES(14,5,'rate',0.90983955725951681792,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO trial_params VALUES(15,5,'kind',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "fast"]}}');
INSERT INTO trial_params VALUES(16,6,'width',12.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 12}}');
INSERT INTO trial_params VALUES(17,6,'rate',0.10034138812526394168,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO trial_params VALUES(18,6,'kind',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "fast"]}}');
INSERT INTO trial_params VALUES(19,7,'width',2.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 12}}');
INSERT INTO trial_params VALUES(20,7,'rate',0.51046536237901252164,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO trial_params VALUES(21,7,'kind',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "fast"]}}');
INSERT INTO trial_params VALUES(22,8,'width',6.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 12}}');
INSERT INTO trial_params VALUES(23,8,'rate',0.613688537871857398,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO trial_params VALUES(24,8,'kind',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "fast"]}}');
INSERT INTO trial_params VALUES(25,9,'width',5.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 12}}');
INSERT INTO trial_params VALUES(26,9,'rate',0.30027785321556743625,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO trial_params VALUES(27,9,'kind',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "fast"]}}');
INSERT INTO trial_params VALUES(28,10,'width',7.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 12}}');
INSERT INTO trial_params VALUES(29,10,'rate',0.90966660337579341444,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO trial_params VALUES(30,10,'kind',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "fast"]}}');
INSERT INTO trial_params VALUES(31,11,'width',1.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 12}}');
INSERT INTO trial_params VALUES(32,11,'rate',0.8213087488023175231,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO trial_params VALUES(33,11,'kind',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "fast"]}}');
INSERT INTO trial_params VALUES(34,12,'width',4.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 12}}');
INSERT INTO trial_params VALUES(35,12,'rate',0.02557341514397359905,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO trial_params VALUES(36,12,'kind',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "fast"]}}');
INSERT INTO trial_params VALUES(37,13,'width',1.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 12}}');
INSERT INTO trial_params VALUES(38,13,'rate',0.29071365255862535725,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO trial_params VALUES(39,13,'kind',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "fast"]}}');
INSERT INTO trial_params VALUES(40,14,'width',4.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 12}}');
INSERT INTO trial_params VALUES(41,14,'rate',0.6215465710125842591,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO trial_params VALUES(42,14,'kind',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "fast"]}}');
INSERT INTO trial_params VALUES(43,15,'width',6.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 12}}');
INSERT INTO trial_params VALUES(44,15,'rate',0.75196769982225641903,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO trial_params VALUES(45,15,'kind',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "fast"]}}');
INSERT INTO trial_params VALUES(46,16,'width',11.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 12}}');
INSERT INTO trial_params VALUES(47,16,'rate',0.76584121511266656234,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO trial_params VALUES(48,16,'kind',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "fast"]}}');
INSERT INTO trial_params VALUES(49,17,'width',2.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 12}}');
INSERT INTO trial_params VALUES(50,17,'rate',0.97409679207087640495,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO trial_params VALUES(51,17,'kind',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "fast"]}}');
INSERT INTO trial_params VALUES(52,18,'width',5.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 12}}');
INSERT INTO trial_params VALUES(53,18,'rate',0.48369180477497825121,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO trial_params VALUES(54,18,'kind',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "fast"]}}');
INSERT INTO trial_params VALUES(55,19,'width',4.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 12}}');
INSERT INTO trial_params VALUES(56,19,'rate',0.31639145975212379369,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO trial_params VALUES(57,19,'kind',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "fast"]}}');
INSERT INTO trial_params VALUES(58,20,'width',6.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 12}}');
INSERT INTO trial_params VALUES(59,20,'rate',0.23107704060279332658,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO trial_params VALUES(60,20,'kind',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "fast"]}}');
INSERT INTO trial_params VALUES(61,21,'width',3.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 12}}');
INSERT INTO trial_params VALUES(62,21,'rate',0.48941009689477488198,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO trial_params VALUES(63,21,'kind',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "fast"]}}');
INSERT INTO trial_params VALUES(64,22,'width',4.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 12}}');
INSERT INTO trial_params VALUES(65,22,'rate',0.42093809315045604968,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO trial_params VALUES(66,22,'kind',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "fast"]}}');
INSERT INTO trial_params VALUES(67,23,'width',6.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 12}}');
INSERT INTO trial_params VALUES(68,23,'rate',0.23126334936871478786,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO trial_params VALUES(69,23,'kind',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "fast"]}}');
INSERT INTO trial_params VALUES(70,24,'width',5.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 12}}');
INSERT INTO trial_params VALUES(71,24,'rate',0.43441493829268923443,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO trial_params VALUES(72,24,'kind',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "fast"]}}');
INSERT INTO trial_params VALUES(73,25,'little.1.width',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(74,25,'little.1.depth',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2]}}');
INSERT INTO trial_params VALUES(75,25,'little.1.kernel',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(76,25,'little.1.expansion',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(77,25,'little.2.width',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(78,25,'little.2.depth',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2]}}');
INSERT INTO trial_params VALUES(79,25,'little.2.kernel',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(80,25,'little.2.expansion',3.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(81,25,'big.1.width',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(82,25,'big.1.depth',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 3]}}');
INSERT INTO trial_params VALUES(83,25,'big.1.kernel',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(84,25,'big.1.expansion',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(85,25,'big.2.width',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(86,25,'big.2.depth',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 3]}}');
INSERT INTO trial_params VALUES(87,25,'big.2.kernel',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(88,25,'big.2.expansion',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(89,25,'router.kind',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["confidence", "learned", "difficulty"]}}');
INSERT INTO trial_params VALUES(90,25,'router.tau',0.54148184319792402874,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.3, "high": 0.99, "log": false}}');
INSERT INTO trial_params VALUES(91,26,'little.1.width',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(92,26,'little.1.depth',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2]}}');
INSERT INTO trial_params VALUES(93,26,'little.1.kernel',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(94,26,'little.1.expansion',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(95,26,'little.2.width',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(96,26,'little.2.depth',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2]}}');
INSERT INTO trial_params VALUES(97,26,'little.2.kernel',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(98,26,'little.2.expansion',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(99,26,'big.1.width',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(100,26,'big.1.depth',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 3]}}');
INSERT INTO trial_params VALUES(101,26,'big.1.kernel',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(102,26,'big.1.expansion',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(103,26,'big.2.width',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(104,26,'big.2.depth',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 3]}}');
INSERT INTO trial_params VALUES(105,26,'big.2.kernel',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(106,26,'big.2.expansion',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(107,26,'router.kind',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["confidence", "learned", "difficulty"]}}');
INSERT INTO trial_params VALUES(108,26,'router.tau',0.43643410421041006763,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.3, "high": 0.99, "log": false}}');
INSERT INTO trial_params VALUES(109,27,'little.1.width',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(110,27,'little.1.depth',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2]}}');
INSERT INTO trial_params VALUES(111,27,'little.1.kernel',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(112,27,'little.1.expansion',3.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(113,27,'little.2.width',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(114,27,'little.2.depth',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2]}}');
INSERT INTO trial_params VALUES(115,27,'little.2.kernel',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(116,27,'little.2.expansion',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(117,27,'big.1.width',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(118,27,'big.1.depth',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 3]}}');
INSERT INTO trial_params VALUES(119,27,'big.1.kernel',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(120,27,'big.1.expansion',3.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(121,27,'big.2.width',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(122,27,'big.2.depth',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 3]}}');
INSERT INTO trial_params VALUES(123,27,'big.2.kernel',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(124,27,'big.2.expansion',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(125,27,'router.kind',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["confidence", "learned", "difficulty"]}}');
INSERT INTO trial_params VALUES(126,27,'router.tau',0.31686971491269183553,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.3, "high": 0.99, "log": false}}');
INSERT INTO trial_params VALUES(127,28,'little.1.width',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(128,28,'little.1.depth',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2]}}');
INSERT INTO trial_params VALUES(129,28,'little.1.kernel',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(130,28,'little.1.expansion',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(131,28,'little.2.width',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(132,28,'little.2.depth',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2]}}');
INSERT INTO trial_params VALUES(133,28,'little.2.kernel',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(134,28,'little.2.expansion',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(135,28,'big.1.width',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(136,28,'big.1.depth',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 3]}}');
INSERT INTO trial_params VALUES(137,28,'big.1.kernel',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(138,28,'big.1.expansion',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(139,28,'big.2.width',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(140,28,'big.2.depth',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 3]}}');
INSERT INTO trial_params VALUES(141,28,'big.2.kernel',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(142,28,'big.2.expansion',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(143,28,'router.kind',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["confidence", "learned", "difficulty"]}}');
INSERT INTO trial_params VALUES(144,28,'router.tau',0.61878487004022986184,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.3, "high": 0.99, "log": false}}');
INSERT INTO trial_params VALUES(145,29,'little.1.width',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(146,29,'little.1.depth',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2]}}');
INSERT INTO trial_params VALUES(147,29,'little.1.kernel',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(148,29,'little.1.expansion',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(149,29,'little.2.width',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(150,29,'little.2.depth',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2]}}');
INSERT INTO trial_params VALUES(151,29,'little.2.kernel',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(152,29,'little.2.expansion',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(153,29,'big.1.width',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(154,29,'big.1.depth',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 3]}}');
INSERT INTO trial_params VALUES(155,29,'big.1.kernel',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(156,29,'big.1.expansion',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(157,29,'big.2.width',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(158,29,'big.2.depth',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 3]}}');
INSERT INTO trial_params VALUES(159,29,'big.2.kernel',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(160,29,'big.2.expansion',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(161,29,'router.kind',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["confidence", "learned", "difficulty"]}}');
INSERT INTO trial_params VALUES(162,29,'router.tau',0.73464008619581533388,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.3, "high": 0.99, "log": false}}');
INSERT INTO trial_params VALUES(163,30,'little.1.width',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(164,30,'little.1.depth',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2]}}');
INSERT INTO trial_params VALUES(165,30,'little.1.kernel',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(166,30,'little.1.expansion',3.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(167,30,'little.2.width',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(168,30,'little.2.depth',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2]}}');
INSERT INTO trial_params VALUES(169,30,'little.2.kernel',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(170,30,'little.2.expansion',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(171,30,'big.1.width',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(172,30,'big.1.depth',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 3]}}');
INSERT INTO trial_params VALUES(173,30,'big.1.kernel',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(174,30,'big.1.expansion',3.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(175,30,'big.2.width',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(176,30,'big.2.depth',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 3]}}');
INSERT INTO trial_params VALUES(177,30,'big.2.kernel',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(178,30,'big.2.expansion',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(179,30,'router.kind',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["confidence", "learned", "difficulty"]}}');
INSERT INTO trial_params VALUES(180,30,'router.tau',0.50091991530566648549,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.3, "high": 0.99, "log": false}}');
INSERT INTO trial_params VALUES(181,31,'little.1.width',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(182,31,'little.1.depth',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2]}}');
INSERT INTO trial_params VALUES(183,31,'little.1.kernel',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(184,31,'little.1.expansion',3.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(185,31,'little.2.width',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(186,31,'little.2.depth',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2]}}');
INSERT INTO trial_params VALUES(187,31,'little.2.kernel',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(188,31,'little.2.expansion',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(189,31,'big.1.width',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(190,31,'big.1.depth',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 3]}}');
INSERT INTO trial_params VALUES(191,31,'big.1.kernel',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(192,31,'big.1.expansion',3.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(193,31,'big.2.width',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(194,31,'big.2.depth',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 3]}}');
INSERT INTO trial_params VALUES(195,31,'big.2.kernel',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(196,31,'big.2.expansion',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(197,31,'router.kind',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["confidence", "learned", "difficulty"]}}');
INSERT INTO trial_params VALUES(198,31,'router.tau',0.54148184319792402874,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.3, "high": 0.99, "log": false}}');
INSERT INTO trial_params VALUES(199,32,'little.1.width',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(200,32,'little.1.depth',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2]}}');
INSERT INTO trial_params VALUES(201,32,'little.1.kernel',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(202,32,'little.1.expansion',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(203,32,'little.2.width',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(204,32,'little.2.depth',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2]}}');
INSERT INTO trial_params VALUES(205,32,'little.2.kernel',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(206,32,'little.2.expansion',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(207,32,'big.1.width',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(208,32,'big.1.depth',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 3]}}');
INSERT INTO trial_params VALUES(209,32,'big.1.kernel',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(210,32,'big.1.expansion',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(211,32,'big.2.width',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(212,32,'big.2.depth',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 3]}}');
INSERT INTO trial_params VALUES(213,32,'big.2.kernel',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(214,32,'big.2.expansion',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(215,32,'router.kind',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["confidence", "learned", "difficulty"]}}');
INSERT INTO trial_params VALUES(216,32,'router.tau',0.43643410421041006763,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.3, "high": 0.99, "log": false}}');
INSERT INTO trial_params VALUES(217,33,'little.1.width',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(218,33,'little.1.depth',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2]}}');
INSERT INTO trial_params VALUES(219,33,'little.1.kernel',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(220,33,'little.1.expansion',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(221,33,'little.2.width',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(222,33,'little.2.depth',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2]}}');
INSERT INTO trial_params VALUES(223,33,'little.2.kernel',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(224,33,'little.2.expansion',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(225,33,'big.1.width',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(226,33,'big.1.depth',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 3]}}');
INSERT INTO trial_params VALUES(227,33,'big.1.kernel',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(228,33,'big.1.expansion',3.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(229,33,'big.2.width',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(230,33,'big.2.depth',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 3]}}');
INSERT INTO trial_params VALUES(231,33,'big.2.kernel',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(232,33,'big.2.expansion',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(233,33,'router.kind',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["confidence", "learned", "difficulty"]}}');
INSERT INTO trial_params VALUES(234,33,'router.tau',0.43643410421041006763,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.3, "high": 0.99, "log": false}}');
INSERT INTO trial_params VALUES(235,34,'little.1.width',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(236,34,'little.1.depth',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2]}}');
INSERT INTO trial_params VALUES(237,34,'little.1.kernel',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(238,34,'little.1.expansion',3.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(239,34,'little.2.width',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(240,34,'little.2.depth',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2]}}');
INSERT INTO trial_params VALUES(241,34,'little.2.kernel',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(242,34,'little.2.expansion',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(243,34,'big.1.width',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(244,34,'big.1.depth',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 3]}}');
INSERT INTO trial_params VALUES(245,34,'big.1.kernel',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(246,34,'big.1.expansion',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(247,34,'big.2.width',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(248,34,'big.2.depth',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 3]}}');
INSERT INTO trial_params VALUES(249,34,'big.2.kernel',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(250,34,'big.2.expansion',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(251,34,'router.kind',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["confidence", "learned", "difficulty"]}}');
INSERT INTO trial_params VALUES(252,34,'router.tau',0.50091991530566648549,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.3, "high": 0.99, "log": false}}');
INSERT INTO trial_params VALUES(253,35,'little.1.width',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(254,35,'little.1.depth',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2]}}');
INSERT INTO trial_params VALUES(255,35,'little.1.kernel',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(256,35,'little.1.expansion',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(257,35,'little.2.width',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(258,35,'little.2.depth',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2]}}');
INSERT INTO trial_params VALUES(259,35,'little.2.kernel',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(260,35,'little.2.expansion',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(261,35,'big.1.width',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(262,35,'big.1.depth',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 3]}}');
INSERT INTO trial_params VALUES(263,35,'big.1.kernel',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(264,35,'big.1.expansion',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(265,35,'big.2.width',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(266,35,'big.2.depth',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 3]}}');
INSERT INTO trial_params VALUES(267,35,'big.2.kernel',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(268,35,'big.2.expansion',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(269,35,'router.kind',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["confidence", "learned", "difficulty"]}}');
INSERT INTO trial_params VALUES(270,35,'router.tau',0.73464008619581533388,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.3, "high": 0.99, "log": false}}');
INSERT INTO trial_params VALUES(271,36,'little.1.width',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(272,36,'little.1.depth',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2]}}');
INSERT INTO trial_params VALUES(273,36,'little.1.kernel',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(274,36,'little.1.expansion',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(275,36,'little.2.width',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(276,36,'little.2.depth',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2]}}');
INSERT INTO trial_params VALUES(277,36,'little.2.kernel',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(278,36,'little.2.expansion',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(279,36,'big.1.width',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(280,36,'big.1.depth',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 3]}}');
INSERT INTO trial_params VALUES(281,36,'big.1.kernel',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(282,36,'big.1.expansion',3.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(283,36,'big.2.width',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(284,36,'big.2.depth',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 3]}}');
INSERT INTO trial_params VALUES(285,36,'big.2.kernel',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(286,36,'big.2.expansion',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(287,36,'router.kind',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["confidence", "learned", "difficulty"]}}');
INSERT INTO trial_params VALUES(288,36,'router.tau',0.43643410421041006763,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.3, "high": 0.99, "log": false}}');
INSERT INTO trial_params VALUES(289,37,'little.1.width',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(290,37,'little.1.depth',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2]}}');
INSERT INTO trial_params VALUES(291,37,'little.1.kernel',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(292,37,'little.1.expansion',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(293,37,'little.2.width',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(294,37,'little.2.depth',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2]}}');
INSERT INTO trial_params VALUES(295,37,'little.2.kernel',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(296,37,'little.2.expansion',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(297,37,'big.1.width',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(298,37,'big.1.depth',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 3]}}');
INSERT INTO trial_params VALUES(299,37,'big.1.kernel',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(300,37,'big.1.expansion',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(301,37,'big.2.width',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(302,37,'big.2.depth',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 3]}}');
INSERT INTO trial_params VALUES(303,37,'big.2.kernel',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(304,37,'big.2.expansion',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(305,37,'router.kind',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["confidence", "learned", "difficulty"]}}');
INSERT INTO trial_params VALUES(306,37,'router.tau',0.43643410421041006763,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.3, "high": 0.99, "log": false}}');
INSERT INTO trial_params VALUES(307,38,'little.1.width',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(308,38,'little.1.depth',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2]}}');
INSERT INTO trial_params VALUES(309,38,'little.1.kernel',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(310,38,'little.1.expansion',3.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(311,38,'little.2.width',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(312,38,'little.2.depth',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2]}}');
INSERT INTO trial_params VALUES(313,38,'little.2.kernel',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(314,38,'little.2.expansion',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(315,38,'big.1.width',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(316,38,'big.1.depth',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 3]}}');
INSERT INTO trial_params VALUES(317,38,'big.1.kernel',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(318,38,'big.1.expansion',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(319,38,'big.2.width',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(320,38,'big.2.depth',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 3]}}');
INSERT INTO trial_params VALUES(321,38,'big.2.kernel',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(322,38,'big.2.expansion',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(323,38,'router.kind',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["confidence", "learned", "difficulty"]}}');
INSERT INTO trial_params VALUES(324,38,'router.tau',0.50091991530566648549,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.3, "high": 0.99, "log": false}}');
INSERT INTO trial_params VALUES(325,39,'little.1.width',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(326,39,'little.1.depth',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2]}}');
INSERT INTO trial_params VALUES(327,39,'little.1.kernel',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(328,39,'little.1.expansion',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(329,39,'little.2.width',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(330,39,'little.2.depth',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2]}}');
INSERT INTO trial_params VALUES(331,39,'little.2.kernel',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(332,39,'little.2.expansion',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(333,39,'big.1.width',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(334,39,'big.1.depth',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 3]}}');
INSERT INTO trial_params VALUES(335,39,'big.1.kernel',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(336,39,'big.1.expansion',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(337,39,'big.2.width',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(338,39,'big.2.depth',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 3]}}');
INSERT INTO trial_params VALUES(339,39,'big.2.kernel',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(340,39,'big.2.expansion',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(341,39,'router.kind',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["confidence", "learned", "difficulty"]}}');
INSERT INTO trial_params VALUES(342,39,'router.tau',0.73464008619581533388,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.3, "high": 0.99, "log": false}}');
INSERT INTO trial_params VALUES(343,40,'little.1.width',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(344,40,'little.1.depth',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2]}}');
INSERT INTO trial_params VALUES(345,40,'little.1.kernel',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(346,40,'little.1.expansion',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(347,40,'little.2.width',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(348,40,'little.2.depth',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2]}}');
INSERT INTO trial_params VALUES(349,40,'little.2.kernel',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(350,40,'little.2.expansion',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(351,40,'big.1.width',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(352,40,'big.1.depth',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 3]}}');
INSERT INTO trial_params VALUES(353,40,'big.1.kernel',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(354,40,'big.1.expansion',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(355,40,'big.2.width',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [0.5, 1.0]}}');
INSERT INTO trial_params VALUES(356,40,'big.2.depth',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 3]}}');
INSERT INTO trial_params VALUES(357,40,'big.2.kernel',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3, 5, 7]}}');
INSERT INTO trial_params VALUES(358,40,'big.2.expansion',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 4, 6]}}');
INSERT INTO trial_params VALUES(359,40,'router.kind',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["confidence", "learned", "difficulty"]}}');
INSERT INTO trial_params VALUES(360,40,'router.tau',0.73464008619581533388,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.3, "high": 0.99, "log": false}}');
CREATE TABLE trial_values (
	trial_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	value FLOAT, 
	value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_value_id), 
	UNIQUE (trial_id, objective), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO trial_values VALUES(1,1,0,NULL,'INF_NEG');
INSERT INTO trial_values VALUES(2,1,1,NULL,'INF_POS');
INSERT INTO trial_values VALUES(3,2,0,0.63254705006952971491,'FINITE');
INSERT INTO trial_values VALUES(4,2,1,4.0,'FINITE');
INSERT INTO trial_values VALUES(5,3,0,0.87438057009573966205,'FINITE');
INSERT INTO trial_values VALUES(6,3,1,13.5,'FINITE');
INSERT INTO trial_values VALUES(7,4,0,0.83354331562297800939,'FINITE');
INSERT INTO trial_values VALUES(8,4,1,10.499999999999999999,'FINITE');
INSERT INTO trial_values VALUES(9,5,0,NULL,'INF_NEG');
INSERT INTO trial_values VALUES(10,5,1,NULL,'INF_POS');
INSERT INTO trial_values VALUES(11,6,0,NULL,'INF_NEG');
INSERT INTO trial_values VALUES(12,6,1,NULL,'INF_POS');
INSERT INTO trial_values VALUES(13,7,0,0.66457359419086425855,'FINITE');
INSERT INTO trial_values VALUES(14,7,1,3.0,'FINITE');
INSERT INTO trial_values VALUES(15,8,0,0.8344051495684857711,'FINITE');
INSERT INTO trial_values VALUES(16,8,1,12.0,'FINITE');
INSERT INTO trial_values VALUES(17,10,0,NULL,'INF_NEG');
INSERT INTO trial_values VALUES(18,10,1,NULL,'INF_POS');
INSERT INTO trial_values VALUES(19,12,0,0.70511468302879476421,'FINITE');
INSERT INTO trial_values VALUES(20,12,1,6.0,'FINITE');
INSERT INTO trial_values VALUES(21,13,0,0.45814273051172504924,'FINITE');
INSERT INTO trial_values VALUES(22,13,1,1.5,'FINITE');
INSERT INTO trial_values VALUES(23,14,0,0.77569068579748323699,'FINITE');
INSERT INTO trial_values VALUES(24,14,1,6.0,'FINITE');
INSERT INTO trial_values VALUES(25,15,0,0.80674931717840592249,'FINITE');
INSERT INTO trial_values VALUES(26,15,1,9.0,'FINITE');
INSERT INTO trial_values VALUES(27,16,0,NULL,'INF_NEG');
INSERT INTO trial_values VALUES(28,16,1,NULL,'INF_POS');
INSERT INTO trial_values VALUES(29,17,0,NULL,'INF_NEG');
INSERT INTO trial_values VALUES(30,17,1,NULL,'INF_POS');
INSERT INTO trial_values VALUES(31,18,0,0.83007169428832905389,'FINITE');
INSERT INTO trial_values VALUES(32,18,1,7.5,'FINITE');
INSERT INTO trial_values VALUES(33,20,0,0.80335826526341591602,'FINITE');
INSERT INTO trial_values VALUES(34,20,1,12.0,'FINITE');
INSERT INTO trial_values VALUES(35,21,0,0.74788201937895493198,'FINITE');
INSERT INTO trial_values VALUES(36,21,1,6.0,'FINITE');
INSERT INTO trial_values VALUES(37,22,0,0.78418761863009123214,'FINITE');
INSERT INTO trial_values VALUES(38,22,1,6.0,'FINITE');
INSERT INTO trial_values VALUES(39,23,0,0.80339552701660021938,'FINITE');
INSERT INTO trial_values VALUES(40,23,1,9.0,'FINITE');
INSERT INTO trial_values VALUES(41,25,0,NULL,'INF_NEG');
INSERT INTO trial_values VALUES(42,25,1,NULL,'INF_POS');
INSERT INTO trial_values VALUES(43,26,0,NULL,'INF_NEG');
INSERT INTO trial_values VALUES(44,26,1,NULL,'INF_POS');
INSERT INTO trial_values VALUES(45,27,0,NULL,'INF_NEG');
INSERT INTO trial_values VALUES(46,27,1,NULL,'INF_POS');
INSERT INTO trial_values VALUES(47,28,0,NULL,'INF_NEG');
INSERT INTO trial_values VALUES(48,28,1,NULL,'INF_POS');
INSERT INTO trial_values VALUES(49,29,0,NULL,'INF_NEG');
INSERT INTO trial_values VALUES(50,29,1,NULL,'INF_POS');
INSERT INTO trial_values VALUES(51,30,0,NULL,'INF_NEG');
INSERT INTO trial_values VALUES(52,30,1,NULL,'INF_POS');
INSERT INTO trial_values VALUES(53,31,0,NULL,'INF_NEG');
INSERT INTO trial_values VALUES(54,31,1,NULL,'INF_POS');
INSERT INTO trial_values VALUES(55,32,0,NULL,'INF_NEG');
INSERT INTO trial_values VALUES(56,32,1,NULL,'INF_POS');
INSERT INTO trial_values VALUES(57,33,0,NULL,'INF_NEG');
INSERT INTO trial_values VALUES(58,33,1,NULL,'INF_POS');
INSERT INTO trial_values VALUES(59,34,0,NULL,'INF_NEG');
INSERT INTO trial_values VALUES(60,34,1,NULL,'INF_POS');
INSERT INTO trial_values VALUES(61,35,0,0.40625,'FINITE');
INSERT INTO trial_values VALUES(62,35,1,0.023643437312202145866,'FINITE');
INSERT INTO trial_values VALUES(63,36,0,NULL,'INF_NEG');
INSERT INTO trial_values VALUES(64,36,1,NULL,'INF_POS');
INSERT INTO trial_values VALUES(65,37,0,0.32291666666666668517,'FINITE');
INSERT INTO trial_values VALUES(66,37,1,0.024274896973813374356,'FINITE');
INSERT INTO trial_values VALUES(67,38,0,NULL,'INF_NEG');
INSERT INTO trial_values VALUES(68,38,1,NULL,'INF_POS');
INSERT INTO trial_values VALUES(69,39,0,NULL,'INF_NEG');
INSERT INTO trial_values VALUES(70,39,1,NULL,'INF_POS');
INSERT INTO trial_values VALUES(71,40,0,0.31944444444444441977,'FINITE');
INSERT INTO trial_values VALUES(72,40,1,0.023523165498240208165,'FINITE');
CREATE TABLE trial_intermediate_values (
	trial_intermediate_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	step INTEGER NOT NULL, 
	intermediate_value FLOAT, 
	intermediate_value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_intermediate_value_id), 
	UNIQUE (trial_id, step), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_heartbeats (
	trial_heartbeat_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	heartbeat DATETIME NOT NULL, 
	PRIMARY KEY (trial_heartbeat_id), 
	UNIQUE (trial_id), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO alembic_version VALUES('v3.2.0.a');
CREATE UNIQUE INDEX ix_studies_study_name ON studies (study_name);
CREATE INDEX ix_trials_study_id ON trials (study_id);
COMMIT;
