//! Every example file is one that its program takes as it stands.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of the tests")]

use std::{collections::BTreeSet, fs, path::Path};

use config::{ClientSettings, GatewayConfig};
use protocol::party::Environment;

fn example(name: &str) -> (String, std::path::PathBuf) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
    (fs::read_to_string(&file).unwrap(), file)
}

fn gateway(name: &str) -> GatewayConfig {
    let (text, file) = example(name);
    GatewayConfig::parse(&text, &file).unwrap_or_else(|error| panic!("{error}"))
}

fn client(name: &str) -> ClientSettings {
    let (text, file) = example(name);
    ClientSettings::parse(&text, &file).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_lab_examples_fit_together_and_say_test() {
    let (centre, client) = (gateway("centre-lab.toml"), client("client-lab.toml"));
    assert_eq!((centre.environment, client.environment), (Environment::Test, Environment::Test));
    assert!(centre.parties.contains(&client.centre.party));
    assert_eq!(centre.listen.address.port(), 0);
}

#[test]
fn the_production_examples_fit_together_and_say_production() {
    let (centre, client) = (gateway("agency-centre.toml"), client("clinic-client.toml"));
    assert_eq!((centre.environment, client.environment), (Environment::Production, Environment::Production));
    assert!(centre.parties.contains(&client.centre.party));
    assert_eq!(client.centre.server_name.as_str(), "centre.example.jp");
}

#[test]
fn no_example_is_left_untested() {
    let listed = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")).unwrap();
    let found: BTreeSet<String> =
        listed.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let tested = ["agency-centre.toml", "centre-lab.toml", "client-lab.toml", "clinic-client.toml"];
    assert_eq!(found, tested.map(str::to_owned).into());
}

/// A commented line `# key = value` promises that the value is the default.
#[test]
fn the_commented_keys_of_the_production_examples_show_the_defaults() {
    let uncomment = |text: &str| {
        let keys = text.lines().map(|line| match line.strip_prefix("# ") {
            Some(key) if key.contains(" = ") => key.to_owned(),
            _ => line.to_owned(),
        });
        keys.collect::<Vec<_>>().join("\n")
    };
    let (text, file) = example("agency-centre.toml");
    assert_ne!(uncomment(&text), text);
    assert_eq!(GatewayConfig::parse(&uncomment(&text), &file).unwrap(), gateway("agency-centre.toml"));
    let (text, file) = example("clinic-client.toml");
    assert_ne!(uncomment(&text), text);
    assert_eq!(ClientSettings::parse(&uncomment(&text), &file).unwrap(), client("clinic-client.toml"));
}

#[test]
fn relative_paths_start_where_the_file_stands() {
    let (_, file) = example("client-lab.toml");
    assert_eq!(client("client-lab.toml").tls.key, file.parent().unwrap().join("tls/key.pem"));
    assert_eq!(gateway("agency-centre.toml").storage.data, Path::new("/var/lib/sekisho"));
}
