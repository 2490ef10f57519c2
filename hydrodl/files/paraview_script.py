"""The script that opens a run in ParaView with a picture that is worth looking at."""

from __future__ import annotations

from dataclasses import asdict, dataclass

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#332288", "#8C510A", "#7F7F7F", "#F0E442")
"""Of classes, as in the figures: Okabe and Ito's and three more."""


@dataclass(frozen=True)
class Scene:
    """What there is to show.

    Attributes:
        dimension: d; class_names: as the fields have them; axes: what each coordinate is, ASCII.
        readout: are there labels and probabilities; paths: is there a paths.pvd.
        size: about the length of an edge of the box.
    """

    dimension: int
    class_names: tuple[str, ...]
    readout: bool
    paths: bool
    size: float
    axes: tuple[str, ...]


def script(scene: Scene) -> str:
    """The text of ``open_in_paraview.py``."""
    held = asdict(scene) | {"colours": COLOURS}
    return _TEMPLATE.replace("@SCENE@", repr(held))


_TEMPLATE = '''"""Opens the series beside this file in ParaView: densities and velocity left, the network right.

    paraview --script=open_in_paraview.py     a window; play it to see the layers pass
    pvbatch open_in_paraview.py [LAYER]       writes paraview.png, of the last layer or of the one asked for
"""

import os
import sys

from paraview import servermanager
from paraview.simple import *

SCENE = @SCENE@

try:
    FOLDER = os.path.dirname(os.path.abspath(__file__))
except NameError:  # some ways to run a script do not say where it lies
    FOLDER = os.getcwd()
D, NAMES, SIZE = SCENE["dimension"], SCENE["class_names"], SCENE["size"]
RGB = [tuple(int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)) for c in SCENE["colours"]]
RGB = [RGB[i % len(RGB)] for i in range(len(NAMES))]


def view_named(title, second=""):
    view = CreateView("RenderView")
    view.UseColorPaletteForBackground = 0
    view.Background, view.OrientationAxesVisibility = [1, 1, 1], int(D == 3)
    view.AxesGrid.Visibility = 1
    grid = view.AxesGrid
    for name, axis in zip("XYZ", SCENE["axes"]):
        setattr(grid, name + "Title", axis.split(":")[0])  # the words stand below: along an axis they are cut off
    for name in "XYZ":
        setattr(grid, name + "TitleColor", [0, 0, 0])
        setattr(grid, name + "LabelColor", [0, 0, 0])
        setattr(grid, name + "TitleFontSize", 14)
    grid.GridColor = [0.5, 0.5, 0.5]
    if D < 3:
        grid.AxesToLabel = 3  # below and on the left
    if D == 1:
        grid.YTitle = second
    words = Text(Text=title)
    shown = Show(words, view)
    shown.Color, shown.FontSize, shown.WindowLocation = [0, 0, 0], 16, "Upper Center"
    names = Text(Text="\\n".join(SCENE["axes"]).replace("$", "\\\\$"))  # or VTK takes it for mathematics
    shown = Show(names, view)
    shown.Color, shown.FontSize, shown.WindowLocation = [0, 0, 0], 12, "Lower Left Corner"
    shown.Justification = "Left"
    return view


def plain(source, view, colour, **properties):
    shown = Show(source, view)
    shown.ColorArrayName = ["POINTS", ""]
    shown.AmbientColor = shown.DiffuseColor = colour
    for name, value in properties.items():
        setattr(shown, name, value)
    return shown


def flat(shown):
    """Colours as they are, whatever the light."""
    shown.Ambient, shown.Diffuse, shown.Specular = 1.0, 0.0, 0.0


def by_class(source, view, array, named=True):
    """Colours of classes with their names, once in a view."""
    shown = Show(source, view)
    flat(shown)
    ColorBy(shown, ("POINTS", array))
    table = GetColorTransferFunction(array)
    table.InterpretValuesAsCategories = 1
    table.Annotations = [text for c, name in enumerate(NAMES) for text in (str(c), name[:12])]
    table.IndexedColors = [part for rgb in RGB for part in rgb]
    table.IndexedOpacities = [1.0] * len(NAMES)
    bar = GetScalarBar(table, view)
    bar.Title, bar.ComponentTitle, bar.TitleColor, bar.LabelColor = "class", "", [0, 0, 0], [0, 0, 0]
    bar.WindowLocation, bar.Visibility = "Lower Right Corner", int(named)
    shown.SetScalarBarVisibility(view, named)
    return shown


def trails(view):
    """Where the samples are, as dots, and how they came there."""
    shown = by_class(paths, view, "class")
    shown.LineWidth, shown.PointSize, shown.RenderPointsAsSpheres = 1.5, 7, 1


def largest(array, component=-1):
    """Over all layers of the series."""
    found = 0.0
    for time in fields.TimestepValues:
        fields.UpdatePipeline(time)
        found = max(found, fields.PointData[array].GetRange(component)[1])
    return found or 1.0


fields = PVDReader(FileName=os.path.join(FOLDER, "fields.pvd"))
paths = PVDReader(FileName=os.path.join(FOLDER, "paths.pvd")) if SCENE["paths"] else None
times = list(fields.TimestepValues)
left = view_named("densities (colour by class)" + (" and velocity" if D > 1 else ", heights scaled"))
right = view_named("feature space, moved by the layers" if D == 2 else "paths of samples" + " in t" * (D == 1), "t")
top, fastest = largest("total density"), largest("velocity")

if D == 1:
    for name, rgb in zip(NAMES, RGB):
        curve = WarpByScalar(Input=fields, Scalars=["POINTS", "density of class " + name])
        curve.Normal, curve.UseNormal, curve.ScaleFactor = [0, 1, 0], 1, 0.5 * SIZE / top
        plain(curve, left, rgb, LineWidth=3)
    if paths is not None:
        trails(right)
elif D == 2:
    ground = Show(fields, left)
    ColorBy(ground, ("POINTS", "total density"))
    flat(ground)
    greys = GetColorTransferFunction("total density")
    greys.RGBPoints = [0.0, 1, 1, 1, top, 0.35, 0.35, 0.35]
    bar = GetScalarBar(greys, left)
    bar.Title, bar.ComponentTitle, bar.TitleColor, bar.LabelColor = "total density", "", [0, 0, 0], [0, 0, 0]
    bar.RangeLabelFormat = bar.LabelFormat = "%-#.2g"
    bar.Visibility = 1
    for name, rgb in zip(NAMES, RGB):
        lines = Contour(Input=fields, ContourBy=["POINTS", "density of class " + name])
        lines.Isosurfaces = [share * top for share in (0.05, 0.1, 0.2, 0.4, 0.8)]
        plain(lines, left, rgb, LineWidth=2)
    arrows = Glyph(Input=fields, GlyphType="2D Glyph")
    arrows.GlyphType.GlyphType = "Arrow"
    arrows.OrientationArray, arrows.ScaleArray = ["POINTS", "velocity"], ["POINTS", "velocity"]
    arrows.ScaleFactor = 0.12 * SIZE / fastest
    arrows.GlyphMode, arrows.MaximumNumberOfSamplePoints = "Uniform Spatial Distribution (Bounds Based)", 600
    plain(arrows, left, [0.1, 0.1, 0.1], LineWidth=1)
    moved = WarpByVector(Input=fields, Vectors=["POINTS", "displacement"])
    if SCENE["readout"]:
        mesh = by_class(moved, right, "label", named=paths is None)
    else:
        mesh = plain(moved, right, [0.8, 0.8, 0.8])
    mesh.Representation, mesh.EdgeColor, mesh.Opacity = "Surface With Edges", [0.6, 0.6, 0.6], 0.35
    if paths is not None:
        trails(right)
else:
    plain(Outline(Input=fields), left, [0.5, 0.5, 0.5])
    plain(Outline(Input=fields), right, [0.5, 0.5, 0.5])
    for name, rgb in zip(NAMES, RGB):
        array = "density of class " + name
        skin = Contour(Input=fields, ContourBy=["POINTS", array])
        skin.Isosurfaces = [0.1 * largest(array), 0.4 * largest(array)]
        plain(skin, left, rgb, Opacity=0.4)
    arrows = Glyph(Input=fields, GlyphType="Arrow")
    arrows.OrientationArray, arrows.ScaleArray = ["POINTS", "velocity"], ["POINTS", "velocity"]
    arrows.ScaleFactor = 0.15 * SIZE / fastest
    arrows.GlyphMode, arrows.MaximumNumberOfSamplePoints = "Uniform Spatial Distribution (Bounds Based)", 500
    plain(arrows, left, [0.2, 0.2, 0.2])
    if paths is not None:
        trails(right)

scene = GetAnimationScene()
scene.UpdateAnimationUsingDataTimeSteps()
asked = int(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1].isdigit() else len(times) - 1
scene.AnimationTime = times[min(asked, len(times) - 1)]
layout = CreateLayout("hydrodl")
layout.SplitHorizontal(0, 0.5)
layout.AssignView(1, left)
layout.AssignView(2, right)
layout.SetSize(1600, 800)
for view in (left, right):
    view.ViewTime = scene.AnimationTime
    if D < 3:
        view.InteractionMode = "2D"
    ResetCamera(view)
    if D == 3:
        view.GetActiveCamera().Azimuth(30)
        view.GetActiveCamera().Elevation(20)
        ResetCamera(view)
    view.CameraParallelScale *= 1.12  # room for the titles of the axes
    Render(view)
process = servermanager.vtkProcessModule
if process.GetProcessModule().GetProcessTypeAsInt() == process.PROCESS_BATCH:
    SaveScreenshot(os.path.join(FOLDER, "paraview.png"), layout, ImageResolution=[1600, 800])
'''
