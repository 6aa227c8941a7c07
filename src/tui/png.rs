//! A QR as a picture file, for terminals that are too small or that cannot draw it: private, whole or not at all.

use super::widget::qr::{Ec, Matrix};
use crate::i18n::{Message, pairing as words};
use std::{
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
};

/// Pixels a module.
pub const SCALE: u32 = 8;
/// Quiet zone in modules.
pub const QUIET: u16 = 4;

/// Why no picture was written.
#[derive(Debug, thiserror::Error)]
pub enum PngTrouble {
    /// No QR holds a text of that length.
    #[error("the text is too long for a QR")]
    TooLong,
    /// The path is a symbolic link: whoever made it chose where the picture would go.
    #[error("{0} is a symbolic link")]
    Link(PathBuf),
    /// The path is a folder, a device or a pipe.
    #[error("{0} is not a plain file")]
    NotAFile(PathBuf),
    /// The system refused.
    #[error("{path}: {source}")]
    Io {
        /// Where.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

impl PngTrouble {
    /// The sentence for people.
    pub fn message(&self) -> Message {
        let shown = |p: &Path| p.display().to_string();
        match self {
            Self::TooLong => Message::new(&words::PNG_TOO_LONG),
            Self::Link(path) => Message::new(&words::PNG_LINK).with("path", shown(path)),
            Self::NotAFile(path) => Message::new(&words::PNG_NOT_A_FILE).with("path", shown(path)),
            Self::Io { path, source } => Message::new(&words::PNG_IO).with("path", shown(path)).with("why", source.to_string()),
        }
    }
}

/// The PNG's bytes: one bit a pixel, [`SCALE`] pixels a module, quiet zone [`QUIET`].
pub fn encode(payload: &str) -> Result<Vec<u8>, PngTrouble> {
    let matrix = Matrix::make(payload, Ec::M).or_else(|| Matrix::make(payload, Ec::L)).ok_or(PngTrouble::TooLong)?;
    let side = u32::from(matrix.width() + 2 * QUIET) * SCALE;
    let stride = side.div_ceil(8) as usize;
    let mut pixels = Vec::with_capacity(stride * side as usize);
    let module = |p: u32| u16::try_from(p / SCALE).unwrap_or(u16::MAX);
    for y in 0..side {
        let mut row = vec![0u8; stride];
        for x in (0..side).filter(|&x| !matrix.dark(module(x), module(y), QUIET)) {
            if let Some(byte) = row.get_mut((x / 8) as usize) {
                *byte |= 0x80 >> (x % 8);
            }
        }
        pixels.extend_from_slice(&row);
    }
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let written = encoder.write_header().and_then(|mut w| w.write_image_data(&pixels));
    match written {
        Ok(()) => Ok(out),
        Err(e) => Err(PngTrouble::Io { path: PathBuf::new(), source: io::Error::other(e.to_string()) }),
    }
}

/// Writes the QR of `payload` to `path` (mode 0600) and returns the path. A plain file there is replaced in one step; a
/// symbolic link, folder or device is refused.
pub fn write(path: &Path, payload: &str) -> Result<PathBuf, PngTrouble> {
    let bytes = encode(payload)?;
    let io = |source| PngTrouble::Io { path: path.to_path_buf(), source };
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.file_type().is_symlink() => return Err(PngTrouble::Link(path.to_path_buf())),
        Ok(meta) if !meta.is_file() => return Err(PngTrouble::NotAFile(path.to_path_buf())),
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(io(e)),
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // The temporary file is made with mode 0600, and the rename keeps it; a link put there meanwhile is replaced, not followed.
    let mut file = tempfile::Builder::new().prefix(".pairdeck-").suffix(".png").tempfile_in(folder).map_err(io)?;
    file.write_all(&bytes).map_err(io)?;
    file.as_file().sync_all().map_err(io)?;
    file.persist(path).map_err(|e| io(e.error))?;
    // Where a folder cannot be opened, the file is there all the same.
    let _ = fs::File::open(folder).and_then(|f| f.sync_all());
    Ok(path.to_path_buf())
}

/// `qr-NAME-N.png` in `folder`; characters that a shell or a file system minds become `_`.
pub fn path_in(folder: &Path, name: &str, n: u32) -> PathBuf {
    let fine = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' };
    let name: String = name.chars().take(40).map(fine).collect();
    folder.join(format!("qr-{name}-{n}.png"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::i18n::Lang;

    /// Width and pixels (true is light) of a one-bit PNG.
    fn pixels(bytes: &[u8]) -> (usize, Vec<bool>) {
        let mut reader = png::Decoder::new(io::Cursor::new(bytes)).read_info().unwrap();
        let mut buf = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut buf).unwrap();
        let (w, stride) = (info.width as usize, info.line_size);
        let light = |x: usize, y: usize| buf[y * stride + x / 8] & (0x80 >> (x % 8)) != 0;
        (w, (0..info.height as usize).flat_map(|y| (0..w).map(move |x| (x, y))).map(|(x, y)| light(x, y)).collect())
    }

    #[test]
    fn a_picture_on_disk_is_read_back_by_a_decoder() {
        let folder = tempfile::tempdir().unwrap();
        for len in [9, 48, 237, 1000, 2900] {
            let payload: String = "aB3/x+".chars().cycle().take(len).collect();
            let path = write(&folder.path().join("qr.png"), &payload).unwrap();
            let (w, light) = pixels(&fs::read(path).unwrap());
            let mut image = rqrr::PreparedImage::prepare_from_greyscale(w, light.len() / w, |x, y| if light[y * w + x] { 255 } else { 0 });
            let text = image.detect_grids().first().and_then(|g| g.decode().ok()).map(|(_, t)| t);
            assert_eq!(text.as_deref(), Some(payload.as_str()), "{len}");
            assert!(light[..w * (usize::from(QUIET) * SCALE as usize)].iter().all(|l| *l), "the quiet zone is not free");
        }
        assert!(matches!(write(&folder.path().join("no.png"), &"x".repeat(3000)), Err(PngTrouble::TooLong)));
        assert!(!folder.path().join("no.png").exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "a temporary file was left");
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_private_even_where_a_public_one_stood() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("qr.png");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        write(&path, "tg://login").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[cfg(unix)]
    #[test]
    fn a_symbolic_link_and_a_folder_are_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (link, victim) = (folder.path().join("qr.png"), folder.path().join("victim"));
        fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, &link).unwrap();
        let trouble = write(&link, "tg://login").unwrap_err();
        assert!(matches!(trouble, PngTrouble::Link(_)));
        assert!(trouble.message().text(Lang::En).contains("symbolic link"));
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        assert!(matches!(write(folder.path(), "tg://login"), Err(PngTrouble::NotAFile(_))));
        assert!(matches!(write(&folder.path().join("none/qr.png"), "tg://login"), Err(PngTrouble::Io { .. })));
    }

    #[test]
    fn a_file_name_never_leaves_its_folder() {
        let path = path_in(Path::new("/tmp/x"), "../../etc/pass wd", 3);
        assert_eq!(path, Path::new("/tmp/x/qr-______etc_pass_wd-3.png"));
    }
}
