//! The program itself: that its exit codes are those of `--help`.

use std::process::Command;

#[test]
fn the_program_ends_with_the_documented_exit_codes() {
    let place = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_sekisho-certs"))
            .current_dir(place.path())
            .args(args)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.code(), said)
    };
    assert_eq!(run(&["init", "--dir", "lab"]).0, Some(0));
    let (code, said) = run(&["init", "--dir", "lab"]);
    assert!(code == Some(2) && said.contains("not overwritten"), "{code:?}: {said}");
    assert_eq!(run(&["init"]).0, Some(2));
    assert_eq!(run(&["inspect", "missing.pem"]).0, Some(3));
    let (code, said) = run(&["--help"]);
    assert!(code == Some(0) && said.contains("Exit codes"), "{said}");
}
