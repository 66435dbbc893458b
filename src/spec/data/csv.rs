//! CSV with a header line.
//!
//! The grammar is `csv-core`'s; its reader says where each field begins and ends, which tells an empty field (NULL) from one
//! in quotes (the empty text), as in PostgreSQL's `COPY`. What it would take in silence is refused here: quotes in the
//! middle of a field, text behind a closing quote, a quote that is never closed.

use csv_core::{ReadFieldResult, Reader};

use super::{DataText, Mistakes, place};
use crate::model::{DeclaredRow, Diagnostic, Place, RowSet, Spot, Written};
use crate::spec::codes;
use crate::spec::rows::FromFile;
use crate::spec::walk::suggest;

const BYTE_ORDER_MARK: char = '\u{feff}';

/// Reads all rows; `None` when the header cannot be used.
pub(super) fn read(data: &DataText<'_>, from: &FromFile, mistakes: &mut Mistakes<'_>) -> Option<RowSet> {
    let mut fields = FieldReader::new(data);
    let header = header(&mut fields, mistakes)?;
    let layout = Layout::of(&header, from, mistakes)?;
    let mut set = RowSet { columns: layout.columns, ..from.set.clone() };
    let mut cells: Vec<Option<Spot<Written>>> = vec![None; header.len()];
    while let Some(place) = record(&mut fields, &layout.target, &mut cells, mistakes) {
        if mistakes.is_enough(set.rows.len() + 1, &place) {
            break;
        }
        // A record that is wrong has left a gap, and what is wrong has been said.
        if cells.iter().all(Option::is_some) {
            let mut row = DeclaredRow { cells: Vec::with_capacity(cells.len()), place };
            row.cells.extend(cells.iter_mut().filter_map(Option::take));
            set.rows.push(row);
        }
    }
    Some(set)
}

/// Which cell of a row each column of the file is.
struct Layout {
    target: Vec<usize>,
    /// All but the key, sorted.
    columns: Vec<String>,
}

impl Layout {
    fn of(header: &[Spot<String>], from: &FromFile, mistakes: &mut Mistakes<'_>) -> Option<Layout> {
        let names: Vec<&str> = header.iter().map(|spot| spot.value.as_str()).collect();
        let mut complete = true;
        for column in from.key.iter().filter(|column| !names.contains(&column.value.as_str())) {
            complete = false;
            let detail = format!("\"{}\" has no column \"{}\"", mistakes.file, column.value);
            let diagnostic = Diagnostic::error(codes::UNKNOWN_NAME, detail).at(&column.place);
            mistakes.push(diagnostic.hint(suggest(&column.value, &names)));
        }
        let key = &from.set.key;
        let mut columns: Vec<String> = header.iter().map(|spot| spot.value.clone()).collect();
        columns.retain(|column| !key.contains(column));
        columns.sort();
        let target = names.iter().map(|name| key.iter().chain(&columns).position(|column| column == name));
        let target: Option<Vec<usize>> = target.collect();
        complete.then_some(Layout { target: target?, columns })
    }
}

fn header(fields: &mut FieldReader<'_>, mistakes: &mut Mistakes<'_>) -> Option<Vec<Spot<String>>> {
    let mut names = Vec::<Spot<String>>::new();
    let before = mistakes.left;
    while let Some(field) = fields.next(mistakes) {
        let last = field.is_last;
        let (value, place) = field.text();
        if value.is_empty() {
            let diagnostic = Diagnostic::error(codes::DATA_FILE, "the header has a column without a name").at(&place);
            mistakes.push(diagnostic.hint("name every column in the first line"));
        } else if names.iter().any(|name| name.value == value) {
            let detail = format!("the header names the column \"{value}\" twice");
            mistakes.push(Diagnostic::error(codes::DATA_FILE, detail).at(&place).hint("keep one of the two"));
        }
        names.push(Spot { value, place });
        if last {
            break;
        }
    }
    if names.is_empty() && mistakes.left == before {
        let detail = format!("\"{}\" has no header line", mistakes.file);
        let hint = "name the columns in the first line, such as code,name";
        mistakes.push(Diagnostic::error(codes::EMPTY, detail).at(&fields.here()).hint(hint));
    }
    (mistakes.left == before).then_some(names)
}

/// Reads a record into cells, each at its place; `None` at the end.
fn record(
    fields: &mut FieldReader<'_>,
    target: &[usize],
    cells: &mut [Option<Spot<Written>>],
    mistakes: &mut Mistakes<'_>,
) -> Option<Place> {
    cells.fill(None);
    let (mut count, mut row) = (0, None::<Place>);
    loop {
        let Some(field) = fields.next(mistakes) else {
            return row;
        };
        let row = row.get_or_insert_with(|| field.place.clone());
        row.end = field.place.end;
        let (is_last, is_wrong) = (field.is_last, field.is_wrong);
        match target.get(count).and_then(|at| cells.get_mut(*at)) {
            Some(cell) if !is_wrong => *cell = Some(field.value()),
            Some(_) => {}
            None if count == target.len() => {
                let detail = format!("line {} has more fields than the header, which has {count}", field.place.line);
                let hint = "put a value that holds commas in quotes";
                mistakes.push(Diagnostic::error(codes::DATA_FILE, detail).at(&field.place).hint(hint));
            }
            None => {}
        }
        count += 1;
        if is_last {
            if count < target.len() {
                let detail = format!("line {} has {count} fields, and the header has {}", row.line, target.len());
                let hint = "an empty field is NULL, and still needs its comma";
                mistakes.push(Diagnostic::error(codes::DATA_FILE, detail).at(row).hint(hint));
            }
            if count > target.len() {
                cells.fill(None);
            }
            return Some(row.clone());
        }
    }
}

/// One field.
struct Field<'t> {
    /// As it stands in the file.
    raw: &'t str,
    /// Without its quotes, where it has some.
    unquoted: Option<Vec<u8>>,
    place: Place,
    is_last: bool,
    /// Whether it was reported.
    is_wrong: bool,
}

impl Field<'_> {
    fn text(self) -> (String, Place) {
        // Fields of a text begin and end between characters, so that what is in quotes is a text too.
        let unquoted = self.unquoted.and_then(|bytes| String::from_utf8(bytes).ok());
        (unquoted.unwrap_or_else(|| self.raw.to_owned()), self.place)
    }

    fn value(self) -> Spot<Written> {
        if self.raw.is_empty() {
            return Spot { value: Written::Null, place: self.place };
        }
        let (text, place) = self.text();
        Spot { value: Written::Spelled(text), place }
    }
}

/// Gives fields with their places.
struct FieldReader<'t> {
    data: &'t DataText<'t>,
    reader: Reader,
    at: usize,
    line: usize,
    column: usize,
    is_start: bool,
    /// What the grammar writes a field to, piece by piece.
    chunk: [u8; 256],
}

impl<'t> FieldReader<'t> {
    fn new(data: &'t DataText<'t>) -> FieldReader<'t> {
        let at = if data.text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len_utf8() } else { 0 };
        FieldReader { data, reader: Reader::new(), at, line: 1, column: 1, is_start: true, chunk: [0; 256] }
    }

    fn here(&self) -> Place {
        place(&self.data.file, (self.line, self.column), self.at, self.at)
    }

    /// The next field; empty lines before a record are skipped.
    fn next(&mut self, mistakes: &mut Mistakes<'_>) -> Option<Field<'t>> {
        let text = self.data.text;
        if self.is_start {
            while let Some(byte) = text.as_bytes().get(self.at).filter(|byte| is_line_end(**byte)) {
                self.pass_line_end(*byte);
            }
        }
        let start = self.at;
        let (end, is_last, unquoted) = self.read(start)?;
        let last = *text.as_bytes().get(end.checked_sub(1)?)?;
        let is_closed = end > start && if is_last { is_line_end(last) } else { last == b',' };
        let raw = text.get(start..end - usize::from(is_closed))?;
        let place = place(&self.data.file, (self.line, self.column), start, start + raw.len());
        let mut field = Field { raw, unquoted, place, is_last, is_wrong: false };
        self.pass(&field);
        if is_closed && is_last {
            self.pass_line_end(last);
        } else if is_closed {
            self.at += 1;
            self.column += 1;
        }
        self.is_start = is_last;
        if let Some(diagnostic) = wrong_quotes(&field) {
            field.is_wrong = true;
            mistakes.push(diagnostic);
        }
        Some(field)
    }

    /// Lets the grammar find the end of the field that begins here, its comma or line end included.
    fn read(&mut self, start: usize) -> Option<(usize, bool, Option<Vec<u8>>)> {
        let bytes = self.data.text.as_bytes();
        let mut end = start;
        // Only a field in quotes is not what stands in the file.
        let mut unquoted = bytes.get(start).filter(|byte| **byte == b'"').map(|_| Vec::new());
        loop {
            let (result, read, written) = self.reader.read_field(bytes.get(end..)?, &mut self.chunk);
            end += read;
            if let Some(unquoted) = &mut unquoted {
                unquoted.extend_from_slice(self.chunk.get(..written)?);
            }
            match result {
                ReadFieldResult::InputEmpty | ReadFieldResult::OutputFull => {}
                ReadFieldResult::Field { record_end } => return Some((end, record_end, unquoted)),
                ReadFieldResult::End => return None,
            }
        }
    }

    fn pass(&mut self, Field { raw, unquoted, .. }: &Field<'_>) {
        self.at += raw.len();
        // Only quotes let a field go on in the next line.
        match unquoted.as_ref().and_then(|_| raw.rfind('\n')) {
            Some(last) => {
                self.line += raw.matches('\n').count();
                self.column = raw.get(last + 1..).unwrap_or_default().chars().count() + 1;
            }
            None => self.column += raw.chars().count(),
        }
    }

    fn pass_line_end(&mut self, byte: u8) {
        self.at += 1;
        self.column += 1;
        if byte == b'\n' {
            (self.line, self.column) = (self.line + 1, 1);
        }
    }
}

fn is_line_end(byte: u8) -> bool {
    byte == b'\n' || byte == b'\r'
}

fn wrong_quotes(field: &Field<'_>) -> Option<Diagnostic> {
    if !field.raw.as_bytes().contains(&b'"') {
        return None;
    }
    let (detail, hint) = match field.raw.strip_prefix('"') {
        None => {
            ("a field without quotes holds a quote", "put the whole field in quotes, and write a quote inside it twice")
        }
        Some(inside) => match inside.replace("\"\"", "").split_once('"') {
            Some((_, "")) => return None,
            Some(_) => ("text follows the closing quote of a field", "write a quote inside a field twice"),
            None => ("a quote is never closed", "close it, and write a quote inside a field twice"),
        },
    };
    Some(Diagnostic::error(codes::DATA_FILE, detail).at(&field.place).hint(hint))
}
